"""Filter patterns mean what EventBridge's rules say."""

from typing import Any

import pytest

from local.patterns import PatternError, matches

RECORD = {
    "eventName": "INSERT",
    "dynamodb": {"NewImage": {"status": {"S": "stored"}, "announce": {"BOOL": True}, "count": {"N": "3"}}},
    "size": 10,
    "gone": None,
    "tags": ["a", "b"],
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({}, True),
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"eventName": []}, False),
        ({"dynamodb": {"NewImage": {"status": {"S": ["stored"]}, "announce": {"BOOL": [True]}}}}, True),
        ({"dynamodb": {"NewImage": {"status": {"S": ["stored"]}, "announce": {"BOOL": [False]}}}}, False),
        ({"dynamodb": {"NewImage": {"announce": {"BOOL": [1]}}}}, False),
        ({"dynamodb": {"NewImage": {"count": {"N": [3]}}}}, False),
        ({"dynamodb": {"NewImage": {"count": {"N": ["3"]}}}}, True),
        ({"dynamodb": {"OldImage": {"status": {"S": ["stored"]}}}}, False),
        ({"dynamodb": {"OldImage": {"status": {"S": [{"exists": False}]}}}}, True),
        ({"dynamodb": {"NewImage": {"status": {"S": [{"exists": True}]}}}}, True),
        ({"dynamodb": {"NewImage": {"status": [{"exists": True}]}}}, False),
        ({"gone": [None]}, True),
        ({"missing": [None]}, False),
        ({"eventName": [{"prefix": "INS"}]}, True),
        ({"eventName": [{"suffix": "INS"}]}, False),
        ({"eventName": [{"equals-ignore-case": "insert"}]}, True),
        ({"eventName": [{"anything-but": ["REMOVE", "MODIFY"]}]}, True),
        ({"eventName": [{"anything-but": {"prefix": "INS"}}]}, False),
        ({"missing": [{"anything-but": ["x"]}]}, False),
        ({"size": [{"numeric": [">", 5, "<=", 10]}]}, True),
        ({"size": [{"numeric": ["<", 10]}]}, False),
        ({"size": [10.0]}, True),
        ({"tags": ["b", "c"]}, True),
        ({"$or": [{"eventName": ["REMOVE"]}, {"size": [10]}]}, True),
        ({"$or": [{"eventName": ["REMOVE"]}, {"size": [11]}]}, False),
    ],
)
def test_matches(pattern: dict[str, Any], expected: bool) -> None:
    assert matches(pattern, RECORD) is expected


@pytest.mark.parametrize("pattern", [{"eventName": "INSERT"}, {"eventName": [{"like": "INS%"}]}])
def test_what_lambda_would_refuse_is_an_error(pattern: dict[str, Any]) -> None:
    with pytest.raises(PatternError):
        matches(pattern, RECORD)
