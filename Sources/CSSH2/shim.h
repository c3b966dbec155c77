#include <libssh2.h>
// How large a block really is, which the Glibc module leaves out.
#include <malloc.h>
// What the thread that owns the sessions waits with; the Glibc module leaves these out.
#include <sys/epoll.h>
#include <sys/eventfd.h>

// libssh2 takes its I/O callbacks as `void *`; here they keep their types. (The function that sets them is
// deprecated from 1.11.1 on in favour of one that 1.10 does not have.)
typedef ssize_t (*cssh2_receive)(libssh2_socket_t socket, void *buffer, size_t length, int flags, void **context);
typedef ssize_t (*cssh2_send)(libssh2_socket_t socket, const void *buffer, size_t length, int flags, void **context);
// Told what a server says when it hangs up; the text has no NUL at its end.
typedef void (*cssh2_farewell)(LIBSSH2_SESSION *session, int reason, const char *message, int length,
                               const char *language, int language_length, void **context);

// What the library takes its memory from.
typedef void *(*cssh2_allocate)(size_t size, void **context);
typedef void *(*cssh2_reallocate)(void *block, size_t size, void **context);
typedef void (*cssh2_release)(void *block, void **context);

// A non-blocking session whose bytes go through the two callbacks, or NULL when there is no memory.
static inline LIBSSH2_SESSION *cssh2_session_init(void *context, cssh2_allocate allocate, cssh2_reallocate reallocate,
                                                  cssh2_release release, cssh2_receive receive, cssh2_send send,
                                                  cssh2_farewell farewell) {
    LIBSSH2_SESSION *session = libssh2_session_init_ex(allocate, release, reallocate, context);
    if (!session) return NULL;
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_RECV, (void *)receive);
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_SEND, (void *)send);
    libssh2_session_callback_set(session, LIBSSH2_CALLBACK_DISCONNECT, (void *)farewell);
    libssh2_session_set_blocking(session, 0);
    return session;
}
