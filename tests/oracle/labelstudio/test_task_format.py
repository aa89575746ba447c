from alearn.oracle.labelstudio.labeling_config import Layout
from alearn.oracle.labelstudio.task_format import annotation, data_uri, prediction, task


def test_a_task_has_a_picture_labels_and_guesses():
    made = task(
        "img/1.png",
        data_uri(b"\x89PNG", "image/png"),
        [annotation("cat"), annotation(None)],
        [prediction("dog", 0.25, "v1"), prediction("dog", None, "v2")],
        {"asked": "query, round 3"},
    )

    def result(name):
        return [{"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [name]}}]

    assert made == {
        "data": {"image": "data:image/png;base64,iVBORw==", "item": "img/1.png", "asked": "query, round 3"},
        "annotations": [
            {"result": result("cat"), "was_cancelled": False},
            {"result": [], "was_cancelled": True},
        ],
        "predictions": [
            {"result": result("dog"), "model_version": "v1", "score": 0.25},
            {"result": result("dog"), "model_version": "v2"},
        ],
    }
    named = task("1", "s3://b/1", [annotation("cat", Layout("i", "k"))], layout=Layout("i", "k", "u"))
    assert named["data"]["u"] == "s3://b/1"
    assert (named["annotations"][0]["result"][0]["from_name"], named["predictions"]) == ("k", [])
