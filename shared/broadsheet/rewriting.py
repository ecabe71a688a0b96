"""Titles and summaries by a language model, for channels that ask for them: made once, and bounded.

A record goes in and comes out, with other words or as it was. Whatever goes wrong, the words that are there already
will do: the month's tokens are used up, no model answers in time, another run is just asking, an answer can't be
believed. A run spends some seconds on models in all, whatever it has to post.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from broadsheet import bedrock, words
from broadsheet.bedrock import ModelError, Reply
from broadsheet.phrasings import Key, Phrasings
from broadsheet.source import Channel
from broadsheet.store import Articles, Record
from broadsheet.words import Prompt, Task, Words

PATIENCE = 20.0  # seconds of a run of a minute after which no further model is asked
TIME_FOR_A_QUESTION = bedrock.SECONDS + 5  # until the answer, or none, is written down

log = logging.getLogger("broadsheet.notify")


class Rewriter:
    """One run's. `models` are ARNs, the first tried first; `monthly` tokens are for all of them.

    `clock` and `deadline` are the run's; the last `reserve` seconds before it are for posting.
    """

    def __init__(
        self,
        *,
        client: Callable[[], Any],
        models: Sequence[str],
        monthly: int,
        phrasings: Phrasings,
        articles: Articles,
        clock: Callable[[], float],
        deadline: float,
        reserve: float,
    ) -> None:
        self._client = client
        self._models = list(models)
        self._monthly = monthly
        self._phrasings = phrasings
        self._articles = articles
        self._clock = clock
        self._until = deadline - reserve - TIME_FOR_A_QUESTION
        self._spent = 0.0
        self._known: dict[tuple[Key, Task], Words | None] = {}

    def serves(self, channel: Channel) -> bool:
        """Whether the channel wishes for a model's words, of some articles at least, and there is one."""
        return bool(self._models) and (channel.summaries == "model" or channel.language is not None)

    def may_take_time(self, record: Record, channel: Channel) -> bool:
        """Whether a model may have to be asked for the words that the channel wishes."""
        return bool(self._models) and _wished(record, channel) is not None

    def rewritten(self, record: Record, channel: Channel) -> Record:
        """The record in the words that the channel wishes; within a run always the same ones."""
        task = _wished(record, channel)
        if task is None:
            return record
        article = (record.id, record.content_hash)
        if (article, task) not in self._known:
            try:
                self._known[article, task] = self._words(record, article, task)
            except Exception:  # whatever it is, a post isn't lost for the want of better words
                log.exception("words", extra={"status": "failed", "id": record.id})
                self._known[article, task] = None
        made = self._known[article, task]
        if made is None:
            return record
        language = task.language or record.language
        return msgspec.structs.replace(record, title=made.title, summary=made.summary, language=language)

    def _words(self, record: Record, article: Key, task: Task) -> Words | None:
        settled, made = self._phrasings.get(article, task, now=self._clock())
        if settled or not self._may_ask():
            return made
        text = self._articles.read(record.s3_key or "").text if task.summarise else record.summary
        if not text:
            return None
        asked = words.prompt(record.title, text, task, record.language)
        claimed = False
        for model in list(self._models):
            if not self._may_ask():
                break
            at = self._clock()  # the month that is charged, whatever month the answer comes in
            if not self._phrasings.reserve(asked.tokens, of=self._monthly, now=at):
                self._note(record, "over-budget", model)
                self._models.clear()  # for this run
                break
            if not claimed and not self._phrasings.claim(article, task, now=self._clock()):
                self._phrasings.correct(-asked.tokens, now=at)
                return None
            claimed = True
            reply = self._reply(record, model, asked, at)
            if reply is None:
                continue
            found = (
                "refused" if reply.refused else words.believed(reply.text, record.title, text, task, record.language)
            )
            if isinstance(found, Words):
                self._phrasings.keep(article, task, found)
                self._note(record, "made", model, tokens=reply.tokens)
                return found
            self._note(record, "refused", model, reason=found, tokens=reply.tokens)
            self._phrasings.settle(article, task, for_good=True)
            return None
        if claimed:
            self._phrasings.settle(article, task, for_good=False)
        return None

    def _reply(self, record: Record, model: str, asked: Prompt, at: float) -> Reply | None:
        try:
            reply = bedrock.ask(self._client(), model, asked)
        except ModelError as error:
            if not error.charged:
                self._phrasings.correct(-asked.tokens, now=at)
            self._note(record, "failed", model, reason=f"{error.reason} {error.detail}".strip())
            self._models.remove(model)  # for this run
            return None
        finally:
            self._spent += self._clock() - at
        self._phrasings.correct(reply.tokens - asked.tokens, now=at)
        return reply

    def _may_ask(self) -> bool:
        return bool(self._models) and self._spent < PATIENCE and self._clock() < self._until

    def _note(self, record: Record, status: str, model: str, *, reason: str = "", tokens: int = 0) -> None:
        said = {"status": status, "id": record.id, "model": model, "reason": reason, "tokens": tokens}
        level = logging.INFO if status == "made" else logging.WARNING
        log.log(level, "words", extra={name: value for name, value in said.items() if value})


def _wished(record: Record, channel: Channel) -> Task | None:
    by_model = channel.summaries == "model"
    return words.wished(by_model=by_model, language=channel.language, article_language=record.language)
