"""A consumer: hears from EventBridge of each new article, reads it from S3, and does something with it.

Copy this folder. It needs nothing of Broadsheet's but the bucket's name and the schema in docs/schema.
"""

import json
from typing import Any

import boto3

s3 = boto3.client("s3")


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Event: EventBridge's "Object Created". EventBridge delivers at least once: make your own step safe to repeat."""
    detail = event["detail"]
    body = s3.get_object(Bucket=detail["bucket"]["name"], Key=detail["object"]["key"])["Body"].read()
    article = json.loads(body)
    if article["schema"] != "v1":  # v1 only ever gains fields: ignore those you don't know
        raise ValueError(f"written for v1, not {article['schema']}")
    told = {name: article.get(name) for name in ("id", "revision", "source", "title", "url", "published_at")}
    print(json.dumps(told, ensure_ascii=False))  # your step goes here
    return told
