"""A function's environment: complete and right, or one clear error at start."""

import pytest

from broadsheet.settings import DiscoverSettings, NotifySettings, ParseSettings, SettingsError, read

COMMON = {"SOURCES": "sources.yaml", "STATE_TABLE": "state", "CONTACT": "ops@news.example"}
PARSE = COMMON | {
    "PARSE_QUEUE_URL": "https://sqs.example/parse",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.example/dead",
    "ARTICLES_TABLE": "articles",
    "BUCKET": "bucket",
    "FETCH_SECONDS": "20",
    "RETRY_DELAY": "0.5",
}


def test_variables_become_typed_fields() -> None:
    settings = read(ParseSettings, PARSE | {"PATH": "/bin", "ALLOWED_NETWORKS": " 10.0.0.0/8 ,, 127.0.0.1:8080 "})
    assert (settings.fetch_seconds, settings.retry_delay, settings.bucket) == (20.0, 0.5, "bucket")
    assert settings.networks == ("10.0.0.0/8", "127.0.0.1:8080")
    assert read(ParseSettings, PARSE | {"ALLOWED_NETWORKS": ""}).networks == ()
    assert read(ParseSettings, PARSE).networks == ()


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(
        SettingsError, match=r"^environment: missing \(ARTICLES_TABLE, PARSE_QUEUE_URL, POLLS_QUEUE_URL\)$"
    ):
        read(DiscoverSettings, COMMON)
    missing = r"^environment: missing \(STATE_TABLE, ARTICLES_TABLE, BUCKET, SECRETS_PATH\)$"
    with pytest.raises(SettingsError, match=missing):
        read(NotifySettings, COMMON | {"STATE_TABLE": ""})


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "1e9", " "])
def test_what_is_wrong_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^FETCH_SECONDS: wrong \("):
        read(ParseSettings, PARSE | {"FETCH_SECONDS": value})


def test_the_environment_itself_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PARSE.items():
        monkeypatch.setenv(name, value)
    assert read(ParseSettings) == read(ParseSettings, PARSE)
