"""Whether the neighbours of the encoder agree with those of real folksonomies.

Writes ``results/folksonomy.json``.

Last.fm (HetRec 2011): tags that listeners gave artists. MovieLens 100K: titles, genres, ratings.

*Tags.* The true neighbours of a tag are the ten whose use over artists is most alike (cosine of
positive pointwise mutual information). They are compared with the ten nearest by the sentence
embedding of the name, by character n-grams of the name, and drawn at random; once among all tags,
once only among tags that share no run of three letters with the query, where spelling can't help.

*Artists.* Listeners are split in two halves at random. One half's most frequent tags of an artist,
joined to a text, are encoded into TagCF's vocabulary; the true neighbours are the ten most alike by
the other half's tags (tf-idf cosine). The first half's own tags, compared as they are, is a bound.

*Films.* Titles, and titles with genres, are encoded; how alike are the genres (Jaccard) of a film
and its ten nearest, and how many of the ten most co-rated are among them? With the genres written
in the text, agreement on genres only says that the vocabulary keeps them apart.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.record import shared_data, write_result
from benchmarks.tag_quality import with_interval
from tagcf.tags.embedding import SentenceEmbedding, load_encoder
from tagcf.tags.encode import encode_tags
from tagcf.tags.lexicon import Lexicon

NEIGHBOURS = 10
LEAST_ARTISTS = 10  # that a tag is on, or listeners-tags that an artist has
Table = NDArray[np.float32]

# MovieLens genre -> tag of the vocabulary; "" where there is none.
GENRES = {
    "Action": "action-style", "Adventure": "adventure-style", "Animation": "animation-visual",
    "Children's": "babies", "Comedy": "comedy", "Crime": "crime-thriller",
    "Documentary": "documentary", "Drama": "drama", "Fantasy": "fairy-tale", "Film-Noir": "",
    "Horror": "horror", "Musical": "film-score", "Mystery": "crime-thriller",
    "Romance": "romance", "Sci-Fi": "sci-fi", "Thriller": "crime-thriller", "War": "war-peace",
    "Western": "western-genre", "unknown": "",
}  # fmt: skip


# ── data ────────────────────────────────────────────────────────────────────
@cache
def movies() -> pl.DataFrame:
    """Columns id, title, genres (list), in the order of their ids."""
    table = pl.read_csv(
        shared_data() / "ml_100k" / "ml-100k.item",
        separator="\t",
        quote_char=None,
        infer_schema_length=0,
    )
    return table.select(
        pl.col("item_id:token").cast(pl.Int64).alias("id"),
        pl.col("movie_title:token_seq").fill_null("").alias("title"),
        pl.col("class:token_seq").fill_null("").str.split(" ").alias("genres"),
    ).sort("id")


def lastfm() -> tuple[pl.DataFrame, list[str]]:
    """Return assignments (user, artist, tag as position), and the tags' names."""
    folder = shared_data() / "lastfm_hetrec"
    names = [
        line.split("\t", 1) for line in (folder / "tags.dat").read_text("latin-1").splitlines()[1:]
    ]
    names = [(int(key), name.strip().lower()) for key, name in names]
    position = {key: k for k, (key, _) in enumerate(names)}
    table = pl.read_csv(folder / "user_taggedartists.dat", separator="\t")
    return (
        table.select(
            pl.col("userID").alias("user"),
            pl.col("artistID").alias("artist"),
            pl.col("tagID").replace_strict(position, default=None).alias("tag"),
        ).drop_nulls(),
        [name for _, name in names],
    )


def counts_of(table: pl.DataFrame, rows: str, columns: str) -> tuple[sparse.csr_array, pl.Series]:
    """Return how often each pair occurs, and the ids of the rows."""
    ids = table[rows].unique().sort()
    position = pl.DataFrame({rows: ids}).with_row_index("row")
    at = table.join(position, on=rows)
    shape = (len(ids), int(table[columns].max()) + 1)
    ones = np.ones(at.height, dtype=np.float32)
    index = (at["row"].to_numpy(), at[columns].to_numpy())
    return sparse.csr_array(sparse.coo_array((ones, index), shape=shape)), ids


# ── likeness ────────────────────────────────────────────────────────────────
def mutual_information(counts: sparse.csr_array) -> sparse.csr_array:
    """Positive pointwise mutual information of rows and columns."""
    pairs = counts.tocoo()
    total = counts.sum()
    expected = counts.sum(axis=1)[pairs.row] * counts.sum(axis=0)[pairs.col] / total
    values = np.log(pairs.data / expected).clip(0).astype(np.float32)
    return sparse.csr_array((values, (pairs.row, pairs.col)), shape=counts.shape)


def tf_idf(counts: sparse.csr_array) -> sparse.csr_array:
    """Weights of rows × terms: log count times log inverse share of rows."""
    pairs = counts.tocoo()
    seen = np.bincount(pairs.col, minlength=counts.shape[1])
    rarity = np.log((1 + counts.shape[0]) / (1 + seen)) + 1
    values = (np.log1p(pairs.data) * rarity[pairs.col]).astype(np.float32)
    return sparse.csr_array((values, (pairs.row, pairs.col)), shape=counts.shape)


def ngrams(texts: list[str]) -> sparse.csr_array:
    """tf-idf of character runs of two to four, word ends marked."""
    known: dict[str, int] = {}
    rows, columns = [], []
    for row, text in enumerate(texts):
        marked = f" {text.lower()} "
        for size in (2, 3, 4):
            for start in range(len(marked) - size + 1):
                rows.append(row)
                columns.append(known.setdefault(marked[start : start + size], len(known)))
    ones = np.ones(len(rows), dtype=np.float32)
    counts = sparse.coo_array((ones, (rows, columns)), shape=(len(texts), max(len(known), 1)))
    return tf_idf(sparse.csr_array(counts))


def cosines(table: sparse.csr_array | Table) -> Table:
    """(n, n) cosine of rows; a row with itself -2, an empty row with any -1."""
    if isinstance(table, np.ndarray):
        norm = np.linalg.norm(table, axis=1)
        like = table @ table.T
    else:
        norm = np.sqrt(table.multiply(table).sum(axis=1))
        like = (table @ table.T).toarray()
    like = like / np.maximum(np.outer(norm, norm), 1e-12)
    like[norm == 0] = -1
    like[:, norm == 0] = -1
    np.fill_diagonal(like, -2)
    return np.asarray(like, dtype=np.float32)


def at_random(count: int, seed: int = 0) -> Table:
    """Return likeness by lot."""
    like = np.random.default_rng(seed).random((count, count), dtype=np.float32)
    np.fill_diagonal(like, -2)
    return like


def nearest(like: Table, tie_seed: int = 0) -> NDArray[np.int64]:
    """(n, 10) nearest of each row; ties by lot."""
    lots = np.random.default_rng(tie_seed).random(like.shape[1], dtype=np.float32)
    return np.argsort(-(like + 1e-6 * lots), axis=1)[:, :NEIGHBOURS]


# ── agreement ───────────────────────────────────────────────────────────────
def agreement(like: Table, true: Table, allowed: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """Return recall at 10 and mean average precision of `like` for the ten nearest by `true`."""
    if allowed is not None:
        like, true = np.where(allowed, like, -3), np.where(allowed, true, -3)
    recall, precision = [], []
    right = nearest(true)
    order = np.argsort(-like, axis=1)
    for row in range(len(like)):
        wanted = {int(k) for k in right[row] if true[row, k] > 0}
        if not wanted:
            continue
        hits = np.array([int(k) in wanted for k in order[row]])
        recall.append(hits[:NEIGHBOURS].sum() / len(wanted))
        places = np.flatnonzero(hits) + 1
        precision.append(float((np.arange(1, len(places) + 1) / places).sum()) / len(wanted))
    return {
        "queries": len(recall),
        "recall@10": with_interval(np.array(recall)),
        "map": with_interval(np.array(precision)),
    }


def tag_vectors(texts: list[str], *, words: bool = True) -> sparse.csr_array:
    """Strengths of TagCF's tags for each text."""
    encoders = (*((Lexicon(),) if words else ()), SentenceEmbedding(minimum=0.02))
    return encode_tags(pl.Series(texts), using=encoders).strength


def of_tags() -> dict[str, Any]:
    """Neighbours of Last.fm's tags."""
    table, names = lastfm()
    pairs = table.unique(["artist", "tag"])
    often = pairs["tag"].value_counts().filter(pl.col("count") >= LEAST_ARTISTS)["tag"].sort()
    counts, ids = counts_of(table.filter(pl.col("tag").is_in(often.implode())), "tag", "artist")
    texts = [names[k] for k in ids]
    true = cosines(mutual_information(counts))
    trigrams = [{text[k : k + 3] for k in range(len(text) - 2)} for text in texts]
    apart = np.array([[not (one & two) for two in trigrams] for one in trigrams])
    ways = {
        "sentence embedding": cosines(np.asarray(load_encoder()(texts))),
        "tags of the vocabulary": cosines(tag_vectors(texts)),
        "character n-grams": cosines(ngrams(texts)),
        "random": at_random(len(texts)),
    }
    return {
        "tags": len(texts),
        "all": {name: agreement(like, true) for name, like in ways.items()},
        "spelt differently": {name: agreement(like, true, apart) for name, like in ways.items()},
    }


def of_artists(words: int = 12) -> dict[str, Any]:
    """Neighbours of Last.fm's artists, one half of the listeners against the other."""
    table, names = lastfm()
    users = table["user"].unique().sort().to_numpy()
    half = set(np.random.default_rng(0).permutation(users)[: len(users) // 2].tolist())
    first = table.filter(pl.col("user").is_in(half))
    other = table.filter(~pl.col("user").is_in(half))
    enough = pl.col("len") >= LEAST_ARTISTS
    both = (
        first.group_by("artist").len().filter(enough)
        .join(other.group_by("artist").len().filter(enough), on="artist")["artist"].sort()
    )  # fmt: skip
    first, other = (part.filter(pl.col("artist").is_in(both.implode())) for part in (first, other))
    said, _ = counts_of(first, "artist", "tag")
    heard, _ = counts_of(other, "artist", "tag")
    dense = said.toarray()
    texts = [
        ", ".join(names[k] for k in np.argsort(-row, kind="stable")[:words] if row[k] > 0)
        for row in dense
    ]
    true = cosines(tf_idf(heard))
    ways = {
        "tags of the vocabulary": cosines(tag_vectors(texts)),
        "sentence embedding": cosines(np.asarray(load_encoder()(texts))),
        "character n-grams": cosines(ngrams(texts)),
        "random": at_random(len(texts)),
        "bound: the same tags as they are": cosines(tf_idf(said)),
    }
    return {
        "artists": len(texts),
        "listeners": len(users),
        "ways": {name: agreement(like, true) for name, like in ways.items()},
    }


def of_films() -> dict[str, Any]:
    """Neighbours of MovieLens' films by genres and by ratings."""
    films = movies()
    titles = films["title"].to_list()
    genres = films["genres"].to_list()
    full = [f"{title}. {' '.join(kinds)}" for title, kinds in zip(titles, genres, strict=True)]
    kinds = sorted({one for some in genres for one in some if one})
    has = np.array([[kind in some for kind in kinds] for some in genres], dtype=np.float32)
    both = has @ has.T
    union = has.sum(axis=1)[:, None] + has.sum(axis=1)[None] - both
    jaccard = (both / np.maximum(union, 1)).astype(np.float32)
    np.fill_diagonal(jaccard, -2)
    rated = _co_rated(films["id"])
    ways = {
        "title: tags of the vocabulary": cosines(tag_vectors(titles)),
        "title: sentence embedding": cosines(np.asarray(load_encoder()(titles))),
        "title: character n-grams": cosines(ngrams(titles)),
        "title and genres: tags of the vocabulary": cosines(tag_vectors(full)),
        "title and genres: sentence embedding": cosines(np.asarray(load_encoder()(full))),
        "title and genres: character n-grams": cosines(ngrams(full)),
        "random": at_random(len(titles)),
        "bound: genres themselves": jaccard,
    }
    known = has.sum(axis=1) > 0
    found = {}
    for name, like in ways.items():
        near = nearest(like)
        alike = np.take_along_axis(jaccard, near, axis=1).mean(axis=1)[known]
        found[name] = {
            "genres alike": with_interval(alike.astype(np.float64)),
            "co-rated": agreement(like, rated),
        }
    return {"films": len(titles), "ways": found}


def _co_rated(ids: pl.Series) -> Table:
    """Cosine of films over the users who liked them (four stars or more)."""
    table = pl.read_csv(shared_data() / "ml_100k" / "ml-100k.inter", separator="\t")
    liked = table.filter(pl.col("rating:float") >= 4)
    position = pl.DataFrame({"item_id:token": ids}).with_row_index("row")
    at = liked.join(position, on="item_id:token")
    ones = np.ones(at.height, dtype=np.float32)
    index = (at["row"].to_numpy(), at["user_id:token"].to_numpy())
    shape = (len(ids), int(liked["user_id:token"].max()) + 1)
    return cosines(sparse.csr_array(sparse.coo_array((ones, index), shape=shape)))


def main() -> None:
    """Measure and write the result."""
    started = time.process_time()
    result = {"last.fm tags": of_tags(), "last.fm artists": of_artists(), "films": of_films()}
    write_result("folksonomy", result | {"cpu_seconds": round(time.process_time() - started, 1)})


if __name__ == "__main__":
    main()
