cimport cython
from quotewright.kernel.contract_money cimport ContractMoney

cdef int BUY
cdef long long NEVER

cdef class Markouts:
    cdef readonly ContractMoney contract
    cdef readonly list horizons_ns
    cdef readonly list sums
    cdef readonly list counts
    cdef readonly list side_sums
    cdef readonly list side_counts
    cdef readonly list moneys
    cdef readonly list spreads
    cdef readonly list values
    cdef list waiting
    cdef long long[::1] heads
    cdef long long[::1] waits_ns
    cdef public long long next_ns
    @cython.locals(size=object, known=object, spread=object, value=object, worth=object, contract=ContractMoney)
    cpdef on_fill(self, long long now_ns, int side, long long mid2, object lots=*, object price_ticks=*)
    @cython.locals(contract=ContractMoney)
    cpdef settle(self, Py_ssize_t place, object size, object known, object mid2, object spread, object value)
    @cython.locals(next_ns=cython.longlong, waiting=list, which=cython.Py_ssize_t, horizon_ns=cython.longlong, head=cython.longlong, settled=cython.longlong, fill_ns=cython.longlong, side=cython.longlong, before2=cython.longlong, size=object, known=object, spread=object, value=object, move=cython.double, place=cython.Py_ssize_t)
    cpdef bint catch_up(self, long long now_ns, long long mid2) except -1
