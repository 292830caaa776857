"""``vtk check`` as a report on data: what is wrong with a data set, worst first, and what to do about it. Private.

``scan`` reads the files that a survey lists; ``files``, ``duplicates`` and ``classes`` look for what is wrong,
``data_report`` puts it together, ``text`` and ``page`` show it.
"""
