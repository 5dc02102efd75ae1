"""A file of JSON lines that a long run writes as it goes, so that it can be stopped and go on."""

import json


class Journal:
    """The first line is what the run was started with; a run with anything else is refused."""

    def __init__(self, path, start):
        self.path = path
        if not path.exists():
            path.write_text(json.dumps(start) + "\n")
        head, *lines = path.read_text().splitlines(keepends=True)
        if json.loads(head) != start:
            raise SystemExit(f"{path} belongs to a run with {head.strip()}; this is "
                             f"{json.dumps(start)}. Remove it to start anew.")
        whole = [line for line in lines if line.endswith("\n")]  # the last may have been cut off
        path.write_text(head + "".join(whole))
        self.entries = [json.loads(line) for line in whole]

    def add(self, entry):
        self.entries.append(entry)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
