"""Where the sources file comes from: the layer, or a bucket."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from broadsheet.settings import load_sources
from broadsheet.source import SourcesError
from tests.stack.cloud import Cloud

GOOD = b"sources:\n  - id: news\n    name: \xe6\x96\xb0\xe9\x97\xbb\n    url: https://news.example/feed\n"


def test_sources_lie_in_the_layer_or_in_a_bucket(cloud: Cloud, tmp_path: Path) -> None:
    cloud.s3.put_object(Bucket=cloud.bucket, Key="a/sources.yaml", Body=GOOD)
    (tmp_path / "mine.yaml").write_bytes(GOOD)
    here = load_sources(str(tmp_path / "mine.yaml"), cloud.s3)
    assert load_sources(f"s3://{cloud.bucket}/a/sources.yaml", cloud.s3) == here
    assert load_sources("sources.yaml", cloud.s3).sources, "the file that ships"


def test_a_wrong_file_in_a_bucket_is_told_by_its_address(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=cloud.bucket, Key="bad.yaml", Body=b"channels: [{id: a, kind: fax}]\nsources: []\n")
    with pytest.raises(SourcesError, match=r"^s3://bucket/bad\.yaml:1: channel a: kind"):
        load_sources("s3://bucket/bad.yaml", cloud.s3)
    cloud.s3.put_object(Bucket=cloud.bucket, Key="latin.yaml", Body=b"\xff")
    with pytest.raises(SourcesError, match=r"^s3://bucket/latin\.yaml: unreadable"):
        load_sources("s3://bucket/latin.yaml", cloud.s3)
    with pytest.raises(ClientError):
        load_sources("s3://bucket/nowhere.yaml", cloud.s3)
