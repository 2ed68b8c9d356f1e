cimport cython

cdef class UpdateLayout:
    cdef bytes start
    cdef long long start_length
    cdef long long quotes
    cdef long long latest
    cdef long long first_side
    cdef long long depth
    cdef long long rule
    cdef bint has_actions
    cdef long long count
    cdef long long needed
    cdef long long[::1] keys
    cdef bytes names
