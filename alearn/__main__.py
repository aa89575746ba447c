from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig
@hydra.main(config_path=str(Path(__file__).parents[1] / "conf"), config_name="config", version_base="1.3")
def main(cfg):
    from alearn.config import parse
    from alearn.run import run
    h = HydraConfig.get()
    return run(parse(cfg), Path(h.runtime.output_dir), list(h.overrides.task))["mislabeled_total"]
if __name__ == "__main__":
    main()
