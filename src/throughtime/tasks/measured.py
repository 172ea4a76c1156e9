"""What the tasks demand, as measured: written from ``evidence/tasks.nc`` by ``experiments/evidence.py``.

For every value of ``task.hardest``: ceiling, whether untrained circuits pass, whether trained ones do.
"""

from throughtime.tasks.hardest import Measured

# fmt: off
MEASURED: dict[str, tuple[Measured, ...]] = {
    "abba": (
        Measured(0.9062, False, True),
        Measured(0.4795, False, True),
        Measured(0.333, False, True),
        Measured(0.1738, False, False),
    ),
    "add-task": (
        Measured(0.0744, False, True),
        Measured(0.0692, False, True),
        Measured(0.0638, False, True),
        Measured(0.0659, False, False),
    ),
    "adding-problem": (
        Measured(0.1548, False, True),
        Measured(0.1812, False, True),
        Measured(0.1781, False, True),
        Measured(0.1642, False, True),
    ),
    "contextual-integration": (
        Measured(1.0, True, True),
        Measured(0.9693, True, True),
        Measured(0.8736, False, True),
        Measured(0.8412, False, True),
    ),
    "copy-memory": (
        Measured(0.2822, False, True),
        Measured(0.184, False, True),
        Measured(0.0616, False, True),
        Measured(0.0126, False, False),
    ),
    "cue-set-go": (
        Measured(0.9492, True, True),
        Measured(0.8447, False, True),
        Measured(0.5938, False, True),
    ),
    "delayed-anti-response": (
        Measured(0.7949, False, True),
        Measured(0.624, False, True),
        Measured(0.4502, False, False),
        Measured(0.3115, False, False),
    ),
    "delayed-estimation": (
        Measured(0.7864, False, True),
        Measured(1.9847, False, True),
        Measured(4.0767, False, True),
        Measured(6.014, False, False),
    ),
    "delayed-match-to-category": (
        Measured(0.8516, False, True),
        Measured(0.7432, False, True),
        Measured(0.665, False, False),
        Measured(0.5615, False, False),
    ),
    "delayed-match-to-sample": (
        Measured(0.9805, True, True),
        Measured(0.7207, False, True),
        Measured(0.6309, False, False),
        Measured(0.5928, False, True),
    ),
    "delayed-paired-association": (
        Measured(0.6221, False, False),
        Measured(0.5879, False, True),
        Measured(0.5303, False, False),
        Measured(0.5156, False, False),
    ),
    "delayed-pulse": (
        Measured(1.0, True, True),
        Measured(0.375, False, True),
        Measured(0.0615, False, False),
        Measured(0.0, False, False),
        Measured(0.0, False, False),
    ),
    "delayed-response": (
        Measured(0.7949, False, True),
        Measured(0.624, False, True),
        Measured(0.4502, False, False),
        Measured(0.3115, False, False),
    ),
    "delayed-xor": (
        Measured(0.0, False, True),
        Measured(0.0, False, True),
        Measured(0.0, False, True),
        Measured(0.0, False, True),
        Measured(0.0, False, True),
    ),
    "dual-delayed-match": (
        Measured(0.2939, False, True),
        Measured(0.3076, False, True),
        Measured(0.2666, False, True),
        Measured(0.2842, False, False),
    ),
    "evidence-accumulation": (
        Measured(0.958, True, True),
        Measured(0.875, False, True),
        Measured(0.7354, False, False),
        Measured(0.5664, False, False),
    ),
    "flip-flop": (
        Measured(0.3281, False, True),
        Measured(0.4232, False, True),
        Measured(0.442, False, True),
        Measured(0.4407, False, True),
    ),
    "go-no-go": (
        Measured(0.9805, True, True),
        Measured(0.8662, False, True),
        Measured(0.7637, False, True),
        Measured(0.4932, False, True),
    ),
    "interval-comparison": (
        Measured(0.2686, False, True),
        Measured(0.1914, False, True),
        Measured(0.1377, False, False),
        Measured(0.0303, False, False),
    ),
    "interval-discrimination": (
        Measured(0.792, False, True),
        Measured(0.6875, False, True),
        Measured(0.7051, False, True),
        Measured(0.6855, False, False),
    ),
    "interval-production": (
        Measured(0.0986, False, True),
        Measured(0.0557, False, True),
        Measured(0.0, False, True),
    ),
    "measure-wait-go": (
        Measured(0.0818, False, True),
        Measured(0.0179, False, True),
        Measured(0.0132, False, False),
        Measured(0.0157, False, False),
    ),
    "mimic-task": (
        Measured(0.6779, False, True),
        Measured(0.2995, False, False),
        Measured(0.2096, False, False),
    ),
    "multisensory-decision": (
        Measured(1.0, True, True),
        Measured(0.9893, True, True),
        Measured(0.9367, True, True),
        Measured(0.9127, True, True),
    ),
    "multitask": (
        Measured(0.0289, False, None),
        Measured(0.0145, False, True),
        Measured(0.0386, False, None),
    ),
    "nback": (
        Measured(0.6663, False, True),
        Measured(0.5895, False, True),
        Measured(0.5669, False, True),
        Measured(0.5773, False, True),
    ),
    "one-two-three-go": (
        Measured(0.0088, False, True),
        Measured(0.0049, False, True),
        Measured(0.0, False, True),
    ),
    "parametric-working-memory": (
        Measured(0.8985, True, True),
        Measured(0.8132, True, True),
        Measured(0.2681, False, True),
        Measured(0.0722, False, False),
    ),
    "perceptual-decision": (
        Measured(1.0, True, True),
        Measured(0.9961, True, True),
        Measured(0.917, True, True),
        Measured(0.8193, False, True),
    ),
    "ready-set-go": (
        Measured(0.166, False, True),
        Measured(0.2168, False, True),
        Measured(0.127, False, True),
    ),
    "sequence-memory": (
        Measured(0.1816, False, True),
        Measured(0.0352, False, True),
        Measured(0.0059, False, True),
        Measured(0.001, False, True),
        Measured(0.0, False, True),
    ),
    "sine-generation": (
        Measured(0.6398, False, True),
        Measured(0.6389, False, True),
        Measured(0.6382, False, True),
        Measured(0.6376, False, True),
    ),
    "synchronization-continuation": (
        Measured(0.0, False, True),
        Measured(0.0, False, True),
        Measured(0.0, False, True),
        Measured(0.0, False, False),
    ),
    "temporal-pattern": (
        Measured(0.0, False, True),
        Measured(0.0, False, True),
        Measured(0.0, False, True),
        Measured(0.0, False, True),
    ),
    "yang-tasks": (
        Measured(0.5078, False, True),
        Measured(0.4004, False, True),
        Measured(0.3223, False, True),
    ),
}
