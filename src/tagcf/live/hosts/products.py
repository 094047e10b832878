"""What is sold: titles and prices of a workspace's products.* table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tagcf.data.bad_rows import Ledger
from tagcf.data.files import open_table, whole
from tagcf.data.workspace import Workspace
from tagcf.live.rooms.segments import RoomSegments

TITLES = ("title", "name", "product_name")


@dataclass(frozen=True, slots=True)
class Product:
    """A product; price NaN: not told."""

    product_id: str
    title: str
    price: float


def read_products(workspace: Workspace, segments: RoomSegments) -> Mapping[str, Product]:
    """Products by id: from products.* where there is one, else what segments tell of them."""
    prices = {
        product: price
        for product, price in zip(segments.product_id, segments.price.tolist(), strict=True)
        if product is not None
    }
    known = {one: Product(one, one, price) for one, price in prices.items()}
    table = open_table(workspace.root, "products", workspace.settings.data.encoding)
    if table is None or "product_id" not in table.columns:
        return known
    frame = whole(table, table.columns, Ledger()).frame.filter(pl.col("product_id").is_not_null())
    title = next((name for name in TITLES if name in frame.columns), "product_id")
    price = pl.col("price").cast(pl.Float64, strict=False) if "price" in frame.columns else None
    chosen = frame.select(
        pl.col("product_id").cast(pl.String),
        pl.col(title).cast(pl.String).alias("told_title"),
        (pl.lit(None, pl.Float64) if price is None else price).alias("told_price"),
    )
    for product, name, told in chosen.iter_rows():
        dear = told if told is not None else prices.get(product, float("nan"))
        known[product] = Product(product, name or product, dear)
    return known
