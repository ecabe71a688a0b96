"""The root of every error Broadsheet raises on purpose.

    BroadsheetError
    ├── SettingsError            settings.py    a variable of the function's environment is missing or wrong
    ├── SourcesError             source.py      the sources file is wrong, with line and field
    ├── UrlError                 urls.py        not a URL we can canonicalise
    ├── FeedError                feeds/         the bytes are no feed, sitemap or listing
    ├── ExtractionError          extract/       the page holds no article, or may not be parsed
    ├── LateError                apart.py       a text wasn't read in time, maybe by no fault of its own
    ├── RuleError                extract/       a publisher rule is wrong, with line and field
    ├── MirrorError              mirror.py      a seed document is malformed
    ├── StoreError               store.py       a record or object is not as we can read it, or won't go
    ├── MessageError             queue.py       a queue message is not one of ours
    ├── ShareError               shares.py      nor one of the polls queue
    ├── BusyError                hosts.py       the host is somebody else's turn, or wants to be left alone
    ├── FetchError               fetch/         a request failed; subclasses say whether to come back
    └── DeliveryError            channels/      a post failed; says whether to come back

Each carries, as attributes, what it happened to (a URL, a file, a source, a channel) and a `reason`: a short
machine-readable word for logs and records. `str()` of every one of them names the thing.
"""


class BroadsheetError(Exception):
    """Base of all errors raised on purpose; anything else that escapes is a defect of ours."""

    def __init__(self, subject: str, reason: str, detail: str = "") -> None:
        self.subject = subject
        self.reason = reason
        self.detail = detail
        super().__init__(subject, reason, detail)

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}" + (f" ({self.detail})" if self.detail else "")
