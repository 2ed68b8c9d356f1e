cimport cython

cdef long long EVENT_ESTIMATED, FLAG_SHIFT, LAST_BIT, ROW_WORDS

cdef class Rows:
    cdef readonly const long long[::1] words
    cdef readonly long long count

cdef class TapeBuffer(Rows):
    cdef long long[::1] store
    @cython.locals(at=cython.longlong, store=cython.longlong[::1])
    cpdef bint append(self, long long event_ns, long long receive_ns, long long price, long long size, long long id, long long word) except -1
    @cython.locals(words='const long long[::1]', at=cython.longlong, end=cython.longlong)
    cpdef bint extend(self, Rows rows, long long first, long long last) except -1
    @cython.locals(store=cython.longlong[::1], at=cython.longlong, end=cython.longlong, found=cython.longlong, flag=cython.longlong)
    cpdef long long settle(self, long long first) except -1
    @cython.locals(larger=object)
    cpdef bint grow(self) except -1
    cpdef bint mark_last(self) except -1
    cpdef bint truncate(self, long long count) except -1
