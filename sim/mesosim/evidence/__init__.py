"""The evidence: studies on simulated devices, and a document of which every number can be computed anew.

study.py      what a study, a figure and a line of acceptance are
studies.py    which there are
specimen.py   drawn devices, and what a study does to them
running.py    plays the cases of studies on an executor
computing.py  the computations that figures come from
document.py   the document, by evidence.html.j2 and, for paper, pages.py; style.py is how plots look
recompute.py  lies beside each document and imports nothing of ours
making.py     all of it
"""
