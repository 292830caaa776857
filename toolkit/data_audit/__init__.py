"""``vtk check`` as a report on data: what is wrong with a data set, worst first, and what to do about it.

``survey`` says what there is to read, ``scan`` reads it, ``files``, ``twins`` and ``classes`` find faults,
``data_report`` puts them together, ``text`` and ``page`` show them.
"""
