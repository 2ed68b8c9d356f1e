cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.far_levels cimport FarLevels
from quotewright.kernel.rows cimport Rows

cdef long long BID, OFFER, GAP, LEVEL_DELETE, ROW_WORDS, SNAPSHOT_BEGIN
cdef long long FULL_LEVELS, MAX_STEPS, NO_KEY, FLUSH
cdef int TOUCHED, HAD_SNAPSHOT, HAS_GAP

@cython.locals(place=cython.longlong)
cdef long long high_bit(long long word) noexcept

@cython.final
cdef class LadderSide:
    cdef long long window
    cdef long long widest
    cdef long long reach
    cdef long long sign
    cdef long long[::1] sizes
    cdef long long[::1] words
    cdef long long[::1] moved_keys
    cdef long long[::1] moved_sizes
    cdef FarLevels far
    cdef long long far_work
    cdef long long near_count
    cdef long long base
    cdef long long best
    cdef long long best_size
    cdef long long dropped
    cdef bint is_partial
    cdef bint put_outside(self, long long key, long long size) except -1
    cdef bint is_too_far(self, long long key) except -1
    cdef bint drop(self) except -1
    @cython.locals(word=cython.longlong, offset=cython.longlong, best=cython.longlong)
    cdef bint find_best(self, long long place) except -1
    @cython.locals(count=cython.longlong)
    cdef bint move(self, long long key) except -1
    @cython.locals(count=cython.longlong)
    cdef bint widen(self) except -1
    @cython.locals(old_base=cython.longlong, index=cython.longlong, offset=cython.longlong, far_key=cython.longlong)
    cdef bint refill(self, long long key, long long count) except -1
    @cython.locals(bit=cython.longlong)
    cdef bint place_level(self, long long offset, long long size) except -1
    @cython.locals(count=cython.longlong, place=cython.longlong, word=cython.longlong, index=cython.longlong, bit=cython.longlong, offset=cython.longlong)
    cdef long long take_window(self) except *
    cdef bint clear(self) except -1
    @cython.locals(offset=cython.longlong)
    cdef long long size_of(self, long long key) except *
    @cython.locals(found=list, left=cython.longlong, place=cython.longlong, word=cython.longlong, index=cython.longlong, bit=cython.longlong, offset=cython.longlong, far_key=cython.longlong)
    cdef list list_levels(self, long long count, long long sign)
    @cython.locals(total=object, part=cython.longlong, left=cython.longlong, place=cython.longlong, is_done=cython.bint, word=cython.longlong, index=cython.longlong, bit=cython.longlong, offset=cython.longlong, far_key=cython.longlong)
    cdef object sum_sizes(self, long long count, long long lowest)

cdef class Ladder(BookModel):
    cdef LadderSide bids
    cdef LadderSide offers
    @cython.locals(found=cython.int, is_moved=cython.bint)
    cpdef bint apply(self, Rows rows, long long first, long long last) except -1
    @cython.locals(found=cython.int, held=cython.longlong, word=cython.longlong, kind=cython.longlong, side=cython.longlong, price=cython.longlong, size=cython.longlong, one=LadderSide, key=cython.longlong, offset=cython.longlong, old=cython.longlong, count=cython.longlong, bit=cython.longlong, place=cython.longlong)
    cdef int take(self, const long long[::1] words, long long at, long long end) except -1
    @cython.locals(bid=cython.longlong, offer=cython.longlong, is_moved=cython.bint)
    cdef bint show_best(self) except -1
    cpdef long long size_at(self, int side, long long price) except -1
    cpdef list levels(self, int side, long long count)
    @cython.locals(one=LadderSide)
    cpdef long long level_count(self, int side) except -1
    @cython.locals(one=LadderSide)
    cpdef object volume(self, int side, long long count)
    @cython.locals(one=LadderSide)
    cpdef object volume_until(self, int side, long long price)
