"""Papers publish, schedules come, time passes and things go wrong, in whatever order Hypothesis thinks of."""

import tempfile
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.proofs.conftest import DEATHBED, FULL, Measures
from tests.proofs.internet import Page, feed
from tests.proofs.plans import AWS_CALL, FETCH, Plan, kinds
from tests.proofs.scenes import HARBOUR, MILL
from tests.proofs.world import World

pytestmark = DEATHBED
EXAMPLES = 100 if FULL else 6
FAULTS = 4  # in all: after five crashes SQS parks a message, as it should


class Newsroom(RuleBasedStateMachine):
    """Two papers, two channels, and whatever comes."""

    world: ClassVar[World]
    measures: ClassVar[Measures]

    @initialize()
    def open(self) -> None:
        self.ahead: list[tuple[int, str]] = []  # at which point something is to happen, if it can
        self.world.faults.befalls = self._befalls
        self.world.begin(Plan("plain"))
        self.papers = {HARBOUR: list[Page](), MILL: list[Page]()}
        scene = self.world.scene
        self.faults = 0
        for paper in self.papers:
            for page in scene.pages.values():
                if page.title and page.url.startswith(paper):
                    self.papers[paper].append(page)

    @rule(paper=st.sampled_from([HARBOUR, MILL]))
    def publish(self, paper: str) -> None:
        """An article comes out, and stands first in its paper's feed."""
        number = sum(map(len, self.papers.values()))
        page = Page(
            url=f"{paper}/{number}-more-news-from-the-river", title=f"Story number {number} from along the river"
        )
        self.papers[paper].insert(0, page)
        contents = Page(url=f"{paper}/feed", body=feed(*self.papers[paper]))
        self.world.internet.publish(page, contents)
        self.world.faults.last_change = self.world.clock.now
        scene = self.world.scene
        channels = frozenset({"town", "desk"} if paper == HARBOUR else {"town"})
        self.world.scene = msgspec.structs.replace(
            scene,
            pages={**scene.pages, page.url: page, contents.url: contents},
            articles={**scene.articles, page.title: channels},
        )

    @rule(minutes=st.sampled_from([1, 5, 20, 100]))
    def wait(self, minutes: int) -> None:
        self.world.clock.now += 60 * minutes

    @rule()
    def poll(self) -> None:
        self.world.fire({"job": "poll"}, "discover")

    @rule()
    def deliver(self) -> None:
        self.world.deliver()

    @rule(job=st.sampled_from(["post-due", "sweep"]))
    def notify(self, job: str) -> None:
        self.world.fire({"job": job}, "notify")

    @precondition(lambda self: self.faults < FAULTS)
    @rule(
        steps=st.integers(1, 40), kind=st.sampled_from(sorted({*AWS_CALL, *FETCH, "partial", "twice", "apart", "lost"}))
    )
    def go_wrong(self, steps: int, kind: str) -> None:
        self.faults += 1
        self.ahead.append((len(self.world.faults.points) + steps, kind))

    def _befalls(self, point: str) -> str | None:
        now = len(self.world.faults.points)
        return next((kind for at, kind in self.ahead if at == now and kind in kinds(point)), None)

    def teardown(self) -> None:
        verdict = self.world.settled()
        self.measures.note("random histories", self.world.faults.plan, verdict)
        assert not verdict.guilty, "\n".join([str(self.world.faults.plan), *verdict.guilty])


@pytest.mark.timeout(1200)
def test_any_history(measures: Measures) -> None:
    """The world is the machine's own: Hypothesis makes a new machine for every history, not a new stack."""
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        Newsroom.world, Newsroom.measures = world, measures
        run_state_machine_as_test(
            Newsroom,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=25 if FULL else 12,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate] if not FULL else [Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
