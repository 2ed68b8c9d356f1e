cimport cython

cdef class Wallets:
    cdef readonly str currency
    cdef readonly list free
    cdef readonly list locked
    cdef readonly list held
    cdef public object outside
    cdef public object fees
    cdef public object insurance
    cdef public object clearing
    cdef readonly list members
    cpdef bint make_room(self, long long count) except -1

cdef class Ledger:
    cdef readonly long long scale
    cdef readonly dict numbers
    cdef readonly list names
    cdef readonly list is_funded
    cdef readonly dict wallets
    cdef readonly dict rates
    cdef public long long sequence
    cdef public long long now_ns
    cdef readonly bint is_heard
    cdef object _kept
    cdef list _listeners
    cpdef bint open(self, long long account) except -1
