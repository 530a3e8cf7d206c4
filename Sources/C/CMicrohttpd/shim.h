// libmicrohttpd's start function is variadic, which Swift cannot call: one typed function for what is used.
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>

/// What a server may cost.
struct vault_http_limits {
  unsigned connections;
  /// Seconds without a byte.
  unsigned idle;
  /// Bytes that one connection's memory may have, its headers among them.
  size_t memory;
};

/// Decodes a part of a request's target, unless it has a zero in it, behind which nothing would be seen: that stays as it is and fits nothing.
static size_t vault_http_decode(void *nothing, struct MHD_Connection *connection, char *text) {
  (void)nothing;
  (void)connection;
  return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

/// Starts a server on 127.0.0.1, with a thread of its own; at a port of the kernel's choice where it is 0. Null where that cannot be.
static inline struct MHD_Daemon *vault_http_start(
    struct vault_http_limits limits, uint16_t port, MHD_AcceptPolicyCallback accept, MHD_AccessHandlerCallback handle,
    MHD_NotifyConnectionCallback connected, void *context) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, accept, context, handle, context,
      MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT, limits.connections,
      MHD_OPTION_CONNECTION_TIMEOUT, limits.idle, MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.memory, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_NOTIFY_CONNECTION, connected, context, MHD_OPTION_UNESCAPE_CALLBACK, vault_http_decode, NULL, MHD_OPTION_END);
}

/// An address of IPv4, first byte highest, with its port. 0, or -1 for any other kind.
static inline int vault_http_source(const struct sockaddr *address, socklen_t length, uint32_t *number, uint16_t *port) {
  if (length < sizeof(struct sockaddr_in) || address->sa_family != AF_INET) return -1;
  *number = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
  *port = ntohs(((const struct sockaddr_in *)address)->sin_port);
  return 0;
}

/// The socket of a connection; -1 where there is none.
static inline int vault_http_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

/// The far end of a connection, as vault_http_source has it. 0, or -1.
static inline int vault_http_peer(struct MHD_Connection *connection, uint32_t *number, uint16_t *port) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info && info->client_addr ? vault_http_source(info->client_addr, sizeof(struct sockaddr_in), number, port) : -1;
}

/// The port that the kernel chose; 0 where there is none.
static inline unsigned vault_http_port(struct MHD_Daemon *server) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT);
  return info ? info->port : 0;
}
