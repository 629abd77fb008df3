# SPDX-License-Identifier: MIT
"""A JSON route of FastAPI: a pydantic model in, another out."""

from fastapi import FastAPI  # type: ignore[import-not-found,unused-ignore]
from pydantic import BaseModel  # type: ignore[import-not-found,unused-ignore]

__all__ = ["application"]

application = FastAPI()


class Item(BaseModel):  # type: ignore[misc,unused-ignore]
    """What is ordered."""

    name: str
    price: float
    quantity: int
    tags: list[str] = []


class Order(BaseModel):  # type: ignore[misc,unused-ignore]
    """What it comes to."""

    name: str
    total: float
    tags: list[str]


@application.post("/orders")  # type: ignore[untyped-decorator,unused-ignore]
async def order(item: Item) -> Order:
    """Tell the total."""
    return Order(name=item.name, total=item.price * item.quantity, tags=item.tags)
