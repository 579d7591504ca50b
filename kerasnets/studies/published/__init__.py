"""The published reports as studies, by name."""

from kerasnets.studies.published import coolnet_cpu, from_scratch, lenet_bn
from kerasnets.studies.study import Study

STUDIES: dict[str, Study] = {study.name: study for study in (coolnet_cpu.STUDY, from_scratch.STUDY, lenet_bn.STUDY)}
