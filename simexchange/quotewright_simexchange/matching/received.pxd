cimport cython
from quotewright.kernel.rows cimport Rows, TapeBuffer
from quotewright_simexchange.matching.replay cimport ReplayVenue

cdef long long LAST_BIT, NEVER, RECEIVE, ROW_WORDS, EMPTIED_ROWS

cdef class ReceivedMarket(ReplayVenue):
    cdef TapeBuffer tapped
    cpdef long long run(self, long long until_ns) except? -1
    @cython.locals(rows=Rows, count=cython.longlong, at=cython.longlong, now=cython.longlong, last=cython.longlong, tapped=TapeBuffer)
    cpdef bint take_rows(self, long long limit_ns) except -1
    cpdef bint find_next(self) except -1
