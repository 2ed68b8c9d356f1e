cdef long long NEVER

cdef class Venue:
    cpdef long long run(self, long long until_ns) except? -1
    cpdef bint submit(self, object command, long long now_ns) except -1
    cpdef list take_reports(self, long long now_ns)
    cpdef bint close(self) except -1
