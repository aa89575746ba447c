"""What the page says about the images that it asks about, and about the state of the trial."""

from alearn.ledger import Source
from alearn.oracle.people import Batch

PURPOSES = {
    Source.FIRST: ("First images", "The model has learned nothing yet. It starts with these."),
    Source.QUERY: ("Doubtful images", "The model is least sure of these and learns most from them."),
    Source.AUDIT: ("Audit", "This checks the model's labels. Its guesses for these images are hidden."),
    Source.REST: ("The rest", "These images are left: they have no label yet."),
}
AGAIN = ("Second look", "Somebody has already answered these. Answer as if you were the first.")
LEARNING = "Go on: the model is learning meanwhile. Then better questions follow these."
WORKING = "The model is learning from the answers. The next images will appear by themselves."
COUNTED = "The answers are being counted. If more images need an answer, they will appear by themselves."
ENDED = "The trial is over. If it was interrupted, the same command resumes it."
STOPPED = "The trial was stopped. All answers are kept, and the same command resumes it."


def heading(batch: Batch, learning: bool) -> tuple[str, str]:
    """Return the title of a batch and a sentence about it. learning: whether the model learns while people answer."""
    title, text = AGAIN if batch.again else PURPOSES[batch.purpose]
    return title, LEARNING if learning else text


def afterwards(batch: Batch) -> str:
    """Return what to say once every image of a batch has an answer."""
    return COUNTED if batch.purpose in (Source.AUDIT, Source.REST) else WORKING
