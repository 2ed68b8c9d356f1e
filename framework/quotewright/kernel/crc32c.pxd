cimport cython

cdef class _Table:
    cdef long long[::1] words
    @cython.locals(value=cython.longlong, index=cython.Py_ssize_t)
    cpdef long long update(self, bytes data, long long check) except -1
