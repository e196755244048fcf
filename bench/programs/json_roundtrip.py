"""Documents to JSON text and back."""
import json

from _common import main


def document(i):
    return {
        "id": i, "name": f"item {i}", "tags": [f"t{k}" for k in range(i % 7)], "price": i * 1.25,
        "nested": {"flag": i % 2 == 0, "none": None, "text": "zażółć \"quoted\" \n" * (i % 3)},
        "list": [[k, k * k] for k in range(10)],
    }


def run(n):
    documents = [document(i) for i in range(100)]
    total = 0
    for _ in range(n):
        text = json.dumps(documents)
        back = json.loads(text)
        if back != documents:
            raise AssertionError("not the same")
        total += len(text)
        total += len(json.dumps(documents[:10], indent=2, sort_keys=True))
    return total


if __name__ == "__main__":
    main(run, 720, {180: 5863680, 720: 23454720})
