cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.signals cimport Signal

cdef double SMALLEST_PIVOT

cdef class Microprice(Signal):
    cdef readonly long long buckets
    cdef readonly long long spreads
    cdef readonly bint within
    cdef long long[::1] before
    cdef long long[::1] after
    cdef double[::1] moves
    cdef long long at
    cdef readonly long long count
    cdef long long last_state
    cdef long long last_mid2
    cdef long long[::1] visits
    cdef double[::1] drifts
    cdef long long[::1] transitions
    cdef long long[::1] rests
    cdef double[::1] first
    cdef double[::1] limit
    cdef double[::1] matrix
    @cython.locals(bid=cython.double, share=cython.double, bucket=cython.longlong, ticks=cython.longlong)
    cpdef long long state_of(self, BookModel book) except -1
    cpdef long long mirror_of(self, long long state) except -1
    @cython.locals(states=cython.longlong, _=cython.longlong)
    cdef bint note(self, long long before, long long after, double move, long long weight) except -1
    @cython.locals(at=cython.longlong, state=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    @cython.locals(counts='long long[::1]', found='double[::1]', matrix='double[::1]', states=cython.longlong, half=cython.longlong, width=cython.longlong, row=cython.longlong, column=cython.longlong, visits=cython.double, part=cython.double, image=cython.longlong, pivot=cython.longlong, best=cython.longlong, index=cython.longlong)
    cpdef bint solve(self, long long which) except -1
    cpdef double estimate(self) except? -1
    @cython.locals(book=BookModel, price=cython.double)
    cpdef double current(self) except? -1
    @cython.locals(book=BookModel)
    cpdef bint ready(self) except -1
    cpdef double adjustment(self, long long bucket, long long spread) except? -1
    cpdef double first_adjustment(self, long long bucket, long long spread) except? -1
