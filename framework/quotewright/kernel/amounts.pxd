cimport cython
from quotewright.kernel.view cimport View

cdef class ValuedLot:
    cdef readonly object money2
    cdef readonly object lot_unit
    cdef public long long mid2
    cdef public object lots

cdef class BoundAmount:
    cdef readonly object amount
    cdef readonly str where
    cdef readonly dict quantities
    cdef readonly dict values
    cdef readonly dict coins
    cdef readonly dict valued
    @cython.locals(number=object, valued=ValuedLot, one2=object, lot2=object)
    cpdef object lots(self, View view)
    @cython.locals(number=object, fixed=object, size=object, portfolio=object)
    cpdef object money(self, View view)
    @cython.locals(number=object)
    cpdef bint applies_to(self, View view) except -1
