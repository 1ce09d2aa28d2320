"""Groups the lines of a file by Drain3, as it is out of the box and with the masks of its own example
configuration, and prints how long each took and which group each line fell into."""

import json
import sys
import time

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

RUNS = 3

# The masks of examples/drain3.ini in Drain3's repository.
MASKS = [
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
    (r"(?<=executed cmd )(\".+?\")", "CMD"),
]


def mine(lines, masks):
    config = TemplateMinerConfig()
    config.profiling_enabled = False
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in masks]
    miner = TemplateMiner(config=config)
    begin = time.perf_counter()
    groups = [miner.add_log_message(line)["cluster_id"] for line in lines]
    return time.perf_counter() - begin, groups


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        lines = f.read().split("\n")
    out = []
    for name, masks in (("Drain3, defaults", []), ("Drain3, its example's masks", MASKS)):
        mine(lines[: len(lines) // 20], masks)  # to warm up
        seconds = []
        for _ in range(RUNS):
            took, groups = mine(lines, masks)
            seconds.append(took)
        out.append({"name": name, "seconds": seconds, "templates": len(set(groups)), "groups": groups})
    json.dump(out, sys.stdout)


main()
