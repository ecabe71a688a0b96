"""One clock for everything in a proof: the functions, SQS and the papers read it, and sleeping moves it on."""

START = 1_795_000_020.0  # some second of November 2026, at a full minute


class Clock:
    """Stands in for the `time` module where code asks or waits."""

    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)

    def to(self, instant: float) -> None:
        """Let time pass until `instant`, unless it has."""
        self.now = max(self.now, instant)
