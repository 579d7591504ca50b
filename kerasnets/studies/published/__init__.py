"""The published reports as studies, by name."""

from kerasnets.studies.published import cifarnet, coolnet_cpu, from_scratch, lenet_bn, tiny_leaky
from kerasnets.studies.study import Study

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (tiny_leaky.STUDY, cifarnet.STUDY, coolnet_cpu.STUDY, from_scratch.STUDY, lenet_bn.STUDY)
}
