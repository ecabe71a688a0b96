"""What people do with a stack, on their own credentials; whatever stops them, they do it again."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet.errors import BroadsheetError
from broadsheet.forget import Forgetting
from broadsheet.importer import import_documents
from broadsheet.source import parse
from broadsheet.store import Articles, content_hash
from local.stack import Stack, client
from tests.proofs.backstage import REGION, Backstage
from tests.proofs.clock import Clock
from tests.proofs.faults import Faults, KilledError, Process
from tests.proofs.scenes import Scene

CORRECTION = "\n\nCorrection: there was but one swan."


class People:
    """Their calls are points as well, in the name of what they do."""

    def __init__(self, stack: Stack, backstage: Backstage, faults: Faults, clock: Clock, folder: Path) -> None:
        self._backstage = backstage
        self._faults = faults
        self._clock = clock
        self._folder = folder
        dynamodb, s3 = client("dynamodb", REGION), client("s3", REGION)
        for one in (dynamodb, s3):
            faults.attach(one)
        self._articles = Articles(dynamodb, stack.resources["ArticlesTable"], s3, stack.resources["Bucket"])
        self._forgetting = partial(  # it remembers what it listed, as long as its process lives
            Forgetting,
            dynamodb,
            s3,
            articles_table=stack.resources["ArticlesTable"],
            state_table=stack.resources["StateTable"],
            bucket=stack.resources["Bucket"],
        )

    def import_documents(self, scene: Scene) -> bool:
        """Import the scene's documents; false if that came to no good end."""
        folder = self._folder / f"{scene.name}.documents"
        folder.mkdir(exist_ok=True)
        for i, text in enumerate(scene.documents):
            (folder / f"{i}.md").write_text(text, encoding="utf-8")

        def imported() -> bool:
            source = parse(scene.sources).sources[0]
            done = import_documents([folder], self._articles, source, announce=True, clock=self._clock.time)
            return {outcome.status for outcome in done} <= {"stored", "known"}

        return self._does("import", imported)

    def revise(self, title: str) -> bool:
        """Correct an article; false if that came to no good end, or there is no such article yet."""
        id = self._id(title)

        def revised() -> bool:
            record = self._articles.record(id) if id else None
            if record is None or not record.s3_key:
                return False
            document = self._articles.read(record.s3_key)
            if CORRECTION not in document.text:
                document = msgspec.structs.replace(document, text=document.text + CORRECTION)
                document = msgspec.structs.replace(document, content_hash=content_hash(document))
            return record.revision > 1 or self._articles.revise(record, document, now=self._now()) is not None

        return self._does("revise", revised)

    def forget(self, title: str) -> bool:
        """Remove an article for good; false if that came to no good end, or there is no such article yet.

        It is looked for by its id: once it is begun, nothing tells its title any more.
        """
        id = self._id(title)

        def forgotten() -> bool:
            forgetting = self._forgetting()
            found = forgetting.find(lambda record: record.id == id)
            for record, aliases in found.values():
                forgetting.forget(record, aliases, now=self._now())
            return id is not None

        return self._does("forget", forgotten)

    def _does(self, what: str, do: Callable[[], bool]) -> bool:
        self._faults.run_as(Process(what))
        self._faults.calm()
        try:
            return do()
        except (KilledError, ClientError, BotoCoreError, BroadsheetError):
            return False

    def _id(self, title: str) -> str | None:
        """The article's id, as whoever saw it once knows it."""
        images = self._backstage.images("ArticlesTable")
        return next((image["id"] for image in images if image.get("title") == title), None)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now, UTC)
