cimport cython

cdef long long MAX_DECIMALS
cdef long long NOT_READ

cdef bint is_blank(long long code) noexcept

cpdef bytes as_bytes(object text, str label, str field)

cdef class Scanner:
    cdef public str label
    cdef public long long at
    cdef readonly long long count
    cdef readonly long long[::1] pairs
    cdef readonly const long long[::1] powers
    @cython.locals(data=bytes, end=cython.longlong, value=cython.longlong)
    cpdef long long number(self, object text, long long decimals, str field) except? -1
    @cython.locals(data=bytes, end=cython.longlong, value=cython.longlong)
    cpdef long long rounded(self, object text, long long decimals, str field) except? -1
    @cython.locals(value=cython.longlong)
    cpdef long long price(self, object text, long long decimals, str field) except -1
    @cython.locals(value=cython.longlong)
    cpdef long long size(self, object text, long long decimals, str field) except -1
    @cython.locals(data=bytes, count=cython.longlong)
    cpdef long long levels(self, object text, long long price_decimals, long long size_decimals, str field) except -1
    @cython.locals(count=cython.longlong, room=cython.longlong, at=cython.longlong, quoted=cython.bint, start=cython.longlong, value=cython.longlong, part=cython.longlong, is_delete=cython.bint)
    cdef long long scan(self, bytes data, const char *text, long long end, long long price_decimals, long long size_decimals, str field) except -1
    @cython.locals(first=cython.longlong, length=cython.longlong, is_known=cython.bint, stop=cython.longlong)
    cdef long long word(self, const char *text, long long at, long long end) noexcept
    @cython.locals(is_negative=cython.bint, start=cython.longlong, stop=cython.longlong, value=cython.longlong, digit=cython.longlong, missing=cython.longlong)
    cdef long long digits(self, const char *text, long long at, long long end, long long decimals) except? -1
    @cython.locals(where=str, end=cython.longlong, match=object)
    cdef long long slow(self, bytes data, long long start, long long decimals, str field, long long level, long long part, bint is_quoted) except? -1
    @cython.locals(start=cython.longlong)
    cdef long long skip(self, bytes data, long long at, long long end, str field) except -1
    @cython.locals(larger=object)
    cdef bint grow(self) except -1
    cpdef str where(self, str field)
    @cython.locals(came=str)
    cdef bint refuse(self, bytes data, long long at, str field, str expected) except -1
    @cython.locals(match=object, text=bytes)
    cdef bint refuse_number(self, bytes data, long long start, str field, long long level, long long part, str expected) except -1
