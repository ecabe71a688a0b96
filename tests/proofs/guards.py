"""The guards that keep the promises, each with a way to take it away and a plan that is then found guilty.

A guard is taken away in the source of one function: its words are replaced, and the function is compiled again. If the
words are no longer there, the guard has moved, and its entry here has to follow.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

HANDLERS = {"parse.app": "lambda_ParseFunction", "notify.app": "lambda_NotifyFunction"}


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """`where` is `module:function` or `module:Class.method` of broadsheet or a handler's.

    `witness` is a plan or, with `|` in it, a race.
    """

    name: str
    where: str
    old: str
    new: str
    witness: str


DISCOVER = (
    Guard(
        name="send before marking as seen",
        where="intake:Intake._sent",
        old="        refused = ",
        new="        every = [key for names in entry_keys(feed.entries) for key in names]\n"
        "        self._polls.save_window(source.id, Window().with_shown(every))\n"
        "        refused = ",
        witness="plain discover/SendMessageBatch#1=kill-before",
    ),
    Guard(
        name="validators last",
        where="discover:Discoverer._enqueue",
        old="        taken = ",
        new='        self._save(source, state, _answered("changed", response, now=now, body_hash=body_hash), visit)\n'
        "        taken = ",
        witness="plain discover/SendMessageBatch#1=kill-before",
    ),
    Guard(
        name="validators only when every send was accepted",
        where="discover:Discoverer._enqueue",
        old="body_hash=body_hash if taken.complete and not feed.children else",
        new="body_hash=body_hash if True else",
        witness="plain discover/SendMessageBatch#1=refused",
    ),
    Guard(
        name="what the queue refuses stays unseen",
        where="intake:_accepted",
        old="if url not in taken.refused",
        new="",
        witness="text discover/SendMessageBatch#3=refused",
    ),
    Guard(
        name="a first poll that was refused something is made again",
        where="intake:Intake.polled",
        old="first_again = window is None and taken.refused",
        new="first_again = False",
        witness="plain discover/SendMessageBatch#1=refused",
    ),
    Guard(
        name="a feed poll takes the host's turn",
        where="discover:Discoverer._visit",
        old="turn = self._hosts.take(host, now=self._clock(), request=request)",
        new='turn = Turn(host, "", 0.0, self._deadline)',
        witness="plain",
    ),
    Guard(
        name="a host rests after its feeds were asked",
        where="discover:Discoverer._give_back",
        old="next_at = self._clock() + max(visit.delay, visit.pause)",
        new="next_at = self._clock()",
        witness="kept",
    ),
    Guard(
        name="two feeds of a host are a delay apart",
        where="discover:Discoverer._visit",
        old="                    self._sleep(delay)",
        new="                    pass",
        witness="knots",
    ),
    Guard(
        name="a request to a hub takes that host's turn",
        where="discover:Discoverer._subscribe",
        old="                borrow(known.hub)",
        new="                pass",
        witness="pushed",
    ),
)
CALLBACK = (
    Guard(
        name="what is pushed and the queue refuses stays unseen",
        where="intake:Intake.pushed",
        old="if accepted := _accepted(taken):",
        new="if accepted := [key for keys in taken.picked.keys.values() for key in keys]:",
        witness="pushed callback/SendMessageBatch#1=refused",
    ),
    Guard(
        name="what isn't signed is not believed",
        where="websub:is_signed",
        old="return hmac.compare_digest(expected.encode(), given.strip().lower().encode())",
        new="return True",
        witness="pushed hub/deliver#3=forged",
    ),
)
DISCOVER_AND_HOSTS = (
    Guard(
        name="a host that tells discover 429 waits",
        where="discover:Discoverer._trouble",
        old="visit.pause = max(",
        new="_ = max(",
        witness="knots discover/fetch#1=throttle",
    ),
    Guard(
        name="a host's turn is kept for a lease",
        where="hosts:Hosts.take",
        old="self._lease if request is None",
        new="0.0 if request is None",
        witness="plain",
    ),
)
QUEUE = (
    Guard(
        name="an entry that SQS reports as failed is sent again",
        where="queue:Queue._send_batch",
        old='for accepted in answer.get("Successful", []):\n                left.pop(int(accepted["Id"]), None)',
        new="left.clear()",
        witness="plain discover/SendMessageBatch#1=partial",
    ),
    Guard(
        name="a send that raises has sent nothing",
        where="queue:Queue._send_batch",
        old="                continue",
        new="                return []",
        witness="plain discover/SendMessageBatch#1=error",
    ),
)
PARSE = (
    Guard(
        name="a batch whose records can't be read comes back",
        where="parse:Parser.run",
        old="outcomes += [self._after_aws_error(item, error) for item in ready]",
        new="_ = error",
        witness="plain parse/BatchGetItem#1=error",
    ),
    Guard(
        name="what AWS refused comes back",
        where="parse:Parser._guarded",
        old="return self._after_aws_error(item, error)",
        new='return self._outcome(item, "given-up")',
        witness="plain parse/PutObject#1=error",
    ),
    Guard(
        name="a host rests after a visit",
        where="parse:Parser._visit",
        old="(max(visit.pause, visit.delay) if visit.requests else 0.0)",
        new="0.0",
        witness="busy",
    ),
    Guard(
        name="the requests of a visit are a delay apart",
        where="parse:Parser._may_ask",
        old="            self._sleep(visit.delay)",
        new="            pass",
        witness="busy",
    ),
    Guard(
        name="where the page can't be had the feed's text is the article",
        where="parse:Parser._without_page",
        old="if self._has_full_text(message):",
        new="if False:",
        witness="knots",
    ),
    Guard(
        name="a page that lacks the feed's text is not the article",
        where="feedtext:instead",
        old="if share >= HALF:",
        new="if True:",
        witness="walls",
    ),
    Guard(
        name="the page where dead links end gives no article its address",
        where="feedtext:instead",
        old="return feed if moved else _with(",
        new="return _with(",
        witness="walls",
    ),
    Guard(
        name="pages are archived before a document names them",
        where="parse:Parser.run",
        old="                archived = self._archive.put(self._bundle)\n"
        "                outcomes += pool.map(partial(self._finish, archived=archived), fetched)",
        new="                outcomes += list(pool.map(partial(self._finish, archived=True), fetched))\n"
        "                self._archive.put(self._bundle)",
        witness="kept parse/PutObject#2=kill-before",
    ),
    Guard(
        name="what could not be archived is not named",
        where="parse:Parser._finish",
        old="fetched.raw if archived else None",
        new="fetched.raw",
        witness="kept parse/PutObject#1=error",
    ),
    Guard(
        name="sent again before it is acknowledged",
        where="parse:Parser._send_again",
        old="if any(again is one for one in refused)",
        new="if False",
        witness="plain parse/SendMessageBatch#1=refused",
    ),
    Guard(
        name="what could not be sent again is returned to the queue",
        where="parse.app:lambda_handler",
        old="raise UnfinishedError(record.message_id)",
        new="return",
        witness="plain parse/SendMessageBatch#1=refused",
    ),
    Guard(
        name="one article's trouble is its own",
        where="parse:Parser._guarded",
        old="        try:\n",
        new="        return work()\n        try:\n",
        witness="plain parse/PutObject#1=error",
    ),
    Guard(
        name="a lost try's object is taken back when the article is found to be known",
        where="parse:Parser._known",
        old="self._articles.withdraw(",
        new="(lambda *_: None)(",
        witness="text parse/PutObject#1=kill-after queue/deliver#2=apart",
    ),
    Guard(
        name="a page moved to another host waits for that host's turn",
        where="parse:Parser._page",
        old="raise _MovedError(url)",
        new="return",
        witness="knots",
    ),
    Guard(
        name="robots.txt's crawl delay",
        where="parse:Parser._step",
        old="visit.delay = max(",
        new="_ = max(",
        witness="plain",
    ),
    Guard(
        name="what is given up is parked with its reason",
        where="parse:Parser._give_up",
        old="self._queue.give_up(",
        new="(lambda *_, **__: None)(",
        witness="dead",
    ),
    Guard(
        name="delays grow",
        where="parse:Parser._after_failure",
        old="2.0**message.attempt",
        new="1",
        witness="dead",
    ),
    Guard(
        name="what comes before its time is sent on",
        where="parse:Parser.run",
        old="if item.message.not_before <= now + 1]",
        new="]",
        witness="dead",
    ),
    Guard(
        name="robots.txt is obeyed",
        where="parse:Parser._step",
        old="if not robots.allows(url, AGENT):",
        new="if False:",
        witness="busy",
    ),
    Guard(
        name="a host that says 429 waits",
        where="parse:Parser._trouble",
        old="if error.host_wide:",
        new="if False:",
        witness="plain parse/fetch#2=throttle",
    ),
)
STORE = (
    Guard(
        name="the commit is conditional",
        where="store:Articles.commit",
        old="attribute_not_exists(id) OR #status = :unavailable",
        new="attribute_not_exists(nothing) OR #status = :unavailable",
        witness="text parse/BatchGetItem#2=stale",
    ),
    Guard(
        name="an object is written once",
        where="store:Articles.commit",
        old='IfNoneMatch="*",',
        new="",
        witness="text parse/PutObject#1=kill-after",
    ),
    Guard(
        name="what an earlier try wrote is what counts",
        where="store:Articles.commit",
        old="document = self.read(key)",
        new="pass",
        witness="plain parse/PutObject#1=kill-after",
    ),
    Guard(
        name="the object's key comes from the message, not from the run",
        where="store:object_key",
        old="{article_id}.json",
        new="{article_id}-{__import__('uuid').uuid4()}.json",
        witness="plain parse/PutObject#1=kill-after",
    ),
    Guard(
        name="the committed object stays",
        where="store:Articles.withdraw",
        old="committed.s3_key != key:",
        new="True:",
        witness="plain queue/deliver#2=twice",
    ),
    Guard(
        name="a further source's channels hear of it",
        where="store:Articles.add_source",
        old="        self._dynamodb.update_item(",
        new="        _ = dict(",
        witness="knots",
    ),
    Guard(
        name="what DynamoDB leaves unprocessed is asked for again",
        where="store:Articles.records",
        old="unprocessed(answer, self._table) + wanted[100:]",
        new="wanted[100:]",
        witness="text stream/deliver#1=lost notify/BatchGetItem#1=partial",
    ),
)
HOSTS = (
    Guard(
        name="a host's turn is one worker's",
        where="hosts:Hosts.take",
        old="lease_until <= :now AND",
        new="",
        witness="plain schedule/poll#1=twice discover/PutItem#2=kill-before",
    ),
    Guard(
        name="a turn is left to an article for after the host's delay",
        where="discover:Discoverer._places",
        old="first = max(",
        new="first = min(now, ",
        witness="sole",
    ),
    Guard(
        name="a turn that was taken over is nobody else's",
        where="hosts:Hosts.take",
        old='":owner": owner,',
        new='":owner": left_by or owner,',
        witness="one page with a turn left to it, twice|AAABBB",
    ),
    Guard(
        name="a turn for one request outlasts it",
        where="hosts:Hosts.take",
        old="asks_until + (CLOCKS_DIFFER if request is not None else 0.0)",
        new="asks_until if request is None else now + 5.0",
        witness="sole parse/fetch#2=timeout",
    ),
    Guard(
        name="a host is asked when it is due",
        where="hosts:Hosts.take",
        old="AND next_at <= :now",
        new="",
        witness="knots",
    ),
)
DELIVERIES = (
    Guard(
        name="a delivery is opened once",
        where="deliveries:Deliveries._put_new",
        old='ConditionExpression="attribute_not_exists(pk)",\n',
        new="",
        witness="plain stream/deliver#1=twice",
    ),
    Guard(
        name="a claim is a lease: nobody else posts meanwhile",
        where="deliveries:Deliveries._claim",
        old="or there.due_at > now",
        new="",
        witness="one batch of the stream|ABBB",
    ),
    Guard(
        name="of two that claim at once, one posts",
        where="deliveries:Deliveries._claim",
        old="(#status = :was AND due_at = :due) OR #owner = :me",
        new="attribute_exists(pk) OR (#status = :was AND due_at = :due) OR #owner = :me",
        witness="what is due, by two|ABAB",
    ),
    Guard(
        name="a claim found with its lease out may be a repeat, and says so",
        where="tellings:announcement",
        old="possible_repeat=possible_repeat",
        new="possible_repeat=False and possible_repeat",
        witness="plain notify/post#1=kill-after",
    ),
    Guard(
        name="what was sent is recorded as sent",
        where="deliveries:Deliveries.sent",
        old='"status": "sent"',
        new='"status": "claimed"',
        witness="text",
    ),
    Guard(
        name="claimed before it is posted",
        where="deliveries:Deliveries.open_claimed",
        old="            self._put_new(claim, now)",
        new="            self._put_new(msgspec.structs.replace(claim, status='pending', due_at=now), now)",
        witness="plain notify/post#1=kill-after",
    ),
)
WORDS = (
    Guard(
        name="a question is written down before it is asked",
        where="rewriting:Rewriter._words",
        old="if not claimed and not self._phrasings.claim(article, task, now=self._clock()):",
        new="if False:",
        witness="words notify/Converse#1=kill-after notify/Converse#2=kill-after notify/Converse#3=kill-after",
    ),
    Guard(
        name="its tokens are counted before",
        where="rewriting:Rewriter._words",
        old="if not self._phrasings.reserve(asked.tokens, of=self._monthly, now=at):",
        new="if False:",
        witness="words",
    ),
    Guard(
        name="what may have to be paid stays counted",
        where="rewriting:Rewriter._reply",
        old="if not error.charged:",
        new="if True:",
        witness="words notify/Converse#1=timeout",
    ),
    Guard(
        name="a count is corrected once",
        where="phrasings:Phrasings.correct",
        old="attribute_not_exists(corrected_by) OR corrected_by <> :me",
        new="attribute_not_exists(corrected_by) OR corrected_by <> :me OR corrected_by = :me",
        witness="words notify/UpdateItem#6=lost",
    ),
    Guard(
        name="the stream waits for no model",
        where="rewriting:Rewriter.may_take_time",
        old="return ",
        new="return False and ",
        witness="words",
    ),
)
NOTIFY = (
    Guard(
        name="a repeat has the id of what it repeats",
        where="tellings:announcement",
        old="delivery_id=",
        new="delivery_id=__import__('uuid').uuid4().hex or ",
        witness="plain notify/post#1=kill-after",
    ),
    Guard(
        name="a channel's trouble fails no batch of the stream",
        where="posting:Poster.post",
        old="            self._settle_failure(channel, members, error, standings.mark(channel.kind, secret))",
        new="            raise",
        witness="plain notify/post#1=error",
    ),
    Guard(
        name="a channel's trouble is not for good",
        where="posting:Poster._settle_failure",
        old="claim.attempts >= MAX_ATTEMPTS",
        new="True",
        witness="plain notify/post#1=error",
    ),
    Guard(
        name="a post whose answer never came may have arrived, and says so",
        where="deliveries:Deliveries.retry",
        old="claim.possible_repeat or possible_repeat",
        new="claim.possible_repeat",
        witness="plain notify/post#1=timeout",
    ),
    Guard(
        name="a channel that can be asked is asked before a post is repeated",
        where="posting:Poster._found",
        old="channel.kind not in channels.READ_BACK",
        new="True",
        witness="knots notify/post#3=kill-after",
    ),
    Guard(
        name="a channel that says 429 waits",
        where="channels.exchange:retry_after",
        old="return ",
        new="return None and ",
        witness="busy",
    ),
    Guard(
        name="quiet hours",
        where="timetable:quiet_until",
        old="if quiet is None:",
        new="if True:",
        witness="hours",
    ),
    Guard(
        name="a day's posts are counted",
        where="posting:Poster._is_over_cap",
        old="if channel.daily_cap is None:",
        new="if True:",
        witness="hours",
    ),
    Guard(
        name="a digest is written down before it is posted",
        where="posting:Poster.post",
        old="self._deliveries.open_digest(",
        new="(lambda *_, **__: None)(",
        witness="hours notify/post#2=kill-after",
    ),
    Guard(
        name="a digest that may have come is repeated as it was",
        where="notify:Notifier._repeat_digest",
        old="possible_repeat=True",
        new="possible_repeat=False",
        witness="hours notify/post#2=kill-after",
    ),
    Guard(
        name="a record is read as it is now",
        where="store:Articles.record",
        old="ConsistentRead=True",
        new="ConsistentRead=False",
        witness="text notify/post#1=error notify/GetItem#4=stale",
    ),
    Guard(
        name="the sweep finds what the stream forgot",
        where="notify:Notifier.sweep",
        old="        until = ",
        new="        return 0\n        until = ",
        witness="text stream/deliver#1=lost",
    ),
    Guard(
        name="the sweep's cursor moves last",
        where="notify:Notifier.sweep",
        old="        opened, reached = 0, since",
        new="        self._deliveries.save_swept_until(until)\n        opened, reached = 0, since",
        witness="text stream/deliver#1=lost notify/Query#1=kill-before",
    ),
)
LIVES = (
    Guard(
        name="a revision is kept before the next takes its place",
        where="store:Articles.revise",
        old="            self._s3.put_object(\n                Bucket=self._bucket, Key=document.revisions[-1].s3_key",
        new="            (lambda **_: None)(\n                Bucket=self._bucket, Key=document.revisions[-1].s3_key",
        witness="lives",
    ),
    Guard(
        name="a revision whose object was written is completed, not made again",
        where="store:Articles.revise",
        old="if there.revision == record.revision:",
        new="if True:",
        witness="lives revise/PutObject#2=kill-after",
    ),
    Guard(
        name="what S3 didn't delete is not forgotten",
        where="forget:Forgetting._delete",
        old='answer.get("Errors", [])',
        new="[]",
        witness="lives forget/DeleteObjects#1=partial",
    ),
    Guard(
        name="a run that died removing an edition stops none that follow",
        where="editions:Editions._left",
        old="if not missing or edition is None or edition.articles > len(gone):",
        new="if True:",
        witness="lives publish/DeleteObject#1=kill-after",
    ),
)
GUARDS = (
    *LIVES,
    *DISCOVER,
    *CALLBACK,
    *DISCOVER_AND_HOSTS,
    *QUEUE,
    *PARSE,
    *STORE,
    *HOSTS,
    *DELIVERIES,
    *WORDS,
    *NOTIFY,
)


@contextmanager
def without(guard: Guard) -> Iterator[None]:
    """Take a guard away for a while."""
    module_name, _, path = guard.where.partition(":")
    module: Any = sys.modules[HANDLERS.get(module_name, f"broadsheet.{module_name}")]
    owner_name, _, name = path.rpartition(".")
    owner = getattr(module, owner_name) if owner_name else module
    original = inspect.getattr_static(owner, name)
    source = inspect.getsource(getattr(owner, name))
    assert guard.old in source, f"{guard.name}: {guard.where} no longer says {guard.old!r}"
    source = source.replace(guard.old, guard.new)
    made: dict[str, Any] = {}
    exec(compile(f"class _:\n{source}" if owner_name else source, module.__file__, "exec"), vars(module), made)
    changed = vars(made["_"])[name] if owner_name else made[name]
    holders = [owner] if owner_name else [m for m in _modules() if getattr(m, name, None) is original]
    for holder in holders:
        setattr(holder, name, changed)
    try:
        yield
    finally:
        for holder in holders:
            setattr(holder, name, original)


def _modules() -> list[Any]:
    """Ours: whoever imported a function by its name has it, too."""
    return [m for key, m in list(sys.modules.items()) if key.startswith(("broadsheet.", "lambda_"))]
