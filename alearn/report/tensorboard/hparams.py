"""A trial's line in the HParams tab. TensorBoard averages the trials of a group, which are the seeds, into one line."""

import math
import time
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

from alearn.config import Config


def start(config: Config) -> Summary:
    """Return the mark that a trial begins. `SummaryWriter.add_hparams` would open another run for it."""
    group = f"{config.trial.name} {config.setting()[:8]}"
    return summary_v2.hparams_pb(hyperparameters(config), trial_id=group)


def end() -> Summary:
    """Return the mark that a trial has succeeded. TensorBoard has a helper only for the start of a session."""
    info = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    content = plugin_data_pb2.HParamsPluginData(session_end_info=info, version=metadata.PLUGIN_DATA_VERSION)
    plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=content.SerializeToString())
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=SummaryMetadata(plugin_data=plugin), tensor=metadata.NULL_TENSOR
    )
    return Summary(value=[value])


def hyperparameters(config: Config) -> dict[str, Any]:
    """Return what a sweep may vary, flat.

    The tab shows five hyperparameters: first those that differ, then by name. So the most important ones have short
    names, and the names of all others begin with "with/". The threshold is a text, and also a number of nines, because
    the tab shows numbers with five digits, and 0.999999 would become 1.
    """
    policy = config.policy
    hidden = ("seed", "policy.threshold", "policy.init_fraction", "policy.hand_fraction", "model.name", "train.name")
    rest = {
        key: value for key, value in config.identity().items() if not key.startswith("trial.") and key not in hidden
    }
    rest["threshold_nines"] = -math.log10(1 - policy.threshold) if policy.threshold < 1 else math.inf
    shown = {
        "hand_fraction": policy.hand_fraction,
        "init_fraction": policy.init_fraction,
        "model": config.model.name,
        "threshold": repr(policy.threshold),
        "train": config.train.name,
    } | {f"with/{key}": value for key, value in rest.items()}
    lists = {key: ", ".join(value) for key, value in shown.items() if isinstance(value, list)}  # lists of names
    return {key: value for key, value in (shown | lists).items() if value is not None}
