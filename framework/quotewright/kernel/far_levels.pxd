cimport cython

cdef long long FLUSH, LEAST, LOW_BITS, SPREADER

cpdef object free_table(long long places)

@cython.final
cdef class FarLevels:
    cdef readonly long long count
    cdef long long used
    cdef long long places
    cdef long long[::1] table
    @cython.locals(mixed=cython.longlong, last=cython.longlong, place=cython.longlong)
    cdef long long at(self, long long key) except *
    @cython.locals(size=cython.longlong)
    cpdef long long get(self, long long key) except *
    @cython.locals(index=cython.longlong, before=cython.longlong)
    cpdef bint put(self, long long key, long long size) except -1
    @cython.locals(index=cython.longlong, size=cython.longlong)
    cpdef long long pop(self, long long key) except *
    @cython.locals(old=cython.longlong[::1], end=cython.longlong, index=cython.longlong, found=cython.longlong)
    cpdef bint lay(self) except -1
    cpdef bint clear(self) except -1
    @cython.locals(found=cython.longlong, is_found=cython.bint, index=cython.longlong)
    cpdef long long best(self) except *
    @cython.locals(total=object, part=cython.longlong, index=cython.longlong)
    cpdef object sum_from(self, long long lowest)
    @cython.locals(found=list, index=cython.longlong)
    cpdef list keys_from(self, long long lowest)
