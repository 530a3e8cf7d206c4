#pragma once
#include <gio/gio.h>

// Desktop Notifications Specification 1.2, over GDBus. Nothing here decides anything.

#define VAULT_NOTIFICATIONS "org.freedesktop.Notifications"
#define VAULT_NOTIFICATIONS_PATH "/org/freedesktop/Notifications"

/// One method of the notification service: of the process SERVICE, by its unique name, or, if that is NULL, of whichever the bus starts. NULL
/// with an error, also for a reply of another type. Free with g_variant_unref.
static inline GVariant *vault_notifications_call(
    GDBusConnection *bus, const char *service, const char *method, GVariant *arguments, const GVariantType *reply,
    GCancellable *cancellable, GError **error) {
  return g_dbus_connection_call_sync(
      bus, service ? service : VAULT_NOTIFICATIONS, VAULT_NOTIFICATIONS_PATH, VAULT_NOTIFICATIONS, method, arguments, reply,
      G_DBUS_CALL_FLAGS_NONE, -1, cancellable, error);
}

/// What the service can do. NULL with an error. Free with g_strfreev.
static inline char **vault_notifications_capabilities(
    GDBusConnection *bus, const char *service, GCancellable *cancellable, GError **error) {
  GVariant *reply = vault_notifications_call(bus, service, "GetCapabilities", NULL, G_VARIANT_TYPE("(as)"), cancellable, error);
  if (reply == NULL) return NULL;
  char **list = NULL;
  g_variant_get(reply, "(^as)", &list);
  g_variant_unref(reply);
  return list;
}

static inline gboolean vault_notifications_can(char **capabilities, const char *name) {
  return g_strv_contains((const char *const *)capabilities, name);
}

/// Has the bus send on the service's signals.
static inline gboolean vault_notifications_subscribe(GDBusConnection *bus, GCancellable *cancellable, GError **error) {
  GVariant *reply = g_dbus_connection_call_sync(
      bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
      g_variant_new(
          "(s)", "type='signal',sender='" VAULT_NOTIFICATIONS "',path='" VAULT_NOTIFICATIONS_PATH "',interface='" VAULT_NOTIFICATIONS
                 "',member='ActionInvoked'"),
      NULL, G_DBUS_CALL_FLAGS_NONE, -1, cancellable, error);
  if (reply == NULL) return FALSE;
  g_variant_unref(reply);
  return TRUE;
}

/// The unique name of the process that is the service now. NULL with an error. Free with g_free.
static inline char *vault_notifications_service(GDBusConnection *bus, GCancellable *cancellable, GError **error) {
  GVariant *reply = g_dbus_connection_call_sync(
      bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner",
      g_variant_new("(s)", VAULT_NOTIFICATIONS), G_VARIANT_TYPE("(s)"), G_DBUS_CALL_FLAGS_NONE, -1, cancellable, error);
  if (reply == NULL) return NULL;
  char *name = NULL;
  g_variant_get(reply, "(s)", &name);
  g_variant_unref(reply);
  return name;
}

/// The process that has a name on the bus, as the bus knows it from the kernel; 0 with an error.
static inline gint32 vault_notifications_process(GDBusConnection *bus, const char *name, GCancellable *cancellable, GError **error) {
  GVariant *reply = g_dbus_connection_call_sync(
      bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixProcessID",
      g_variant_new("(s)", name), G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, cancellable, error);
  if (reply == NULL) return 0;
  guint32 process = 0;
  g_variant_get(reply, "(u)", &process);
  g_variant_unref(reply);
  return (gint32)process;
}

/// The process that listened for this connection, by the kernel's word; 0 if that is not known.
static inline gint32 vault_bus_process(GDBusConnection *bus) {
  GIOStream *stream = g_dbus_connection_get_stream(bus);
  if (!G_IS_SOCKET_CONNECTION(stream)) return 0;
  GCredentials *peer = g_socket_get_credentials(g_socket_connection_get_socket(G_SOCKET_CONNECTION(stream)), NULL);
  if (peer == NULL) return 0;
  gint32 process = g_credentials_get_unix_pid(peer, NULL);
  g_object_unref(peer);
  return process > 0 ? process : 0;
}

/// Shows a notification, in place of the one numbered REPLACES if that is not 0, with buttons: the key and the label of each, and NULL. One that
/// IS_URGENT stays until it is answered. Returns its number; 0 with an error.
static inline guint32 vault_notifications_show(
    GDBusConnection *bus, const char *service, guint32 replaces, const char *title, const char *text, const char *const *buttons,
    gboolean is_urgent, GCancellable *cancellable, GError **error) {
  GVariantBuilder hints;
  g_variant_builder_init(&hints, G_VARIANT_TYPE("a{sv}"));
  g_variant_builder_add(&hints, "{sv}", "urgency", g_variant_new_byte(is_urgent ? 2 : 1));
  GVariant *reply = vault_notifications_call(
      bus, service, "Notify",
      g_variant_new(
          "(susss@asa{sv}i)", "vault", replaces, "dialog-password", title, text, g_variant_new_strv(buttons, -1), &hints,
          (gint32)(is_urgent ? 0 : -1)),
      G_VARIANT_TYPE("(u)"), cancellable, error);
  if (reply == NULL) return 0;
  guint32 number = 0;
  g_variant_get(reply, "(u)", &number);
  g_variant_unref(reply);
  return number;
}

/// Takes a notification away, without waiting for an answer.
static inline void vault_notifications_close(GDBusConnection *bus, guint32 number) {
  g_dbus_connection_call(
      bus, VAULT_NOTIFICATIONS, VAULT_NOTIFICATIONS_PATH, VAULT_NOTIFICATIONS, "CloseNotification", g_variant_new("(u)", number), NULL,
      G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL, NULL);
}

/// The key of the button that MESSAGE says was pressed; NULL for every other message. Belongs to MESSAGE.
static inline const char *vault_notifications_pressed(GDBusMessage *message) {
  GVariant *body = g_dbus_message_get_body(message);
  if (g_dbus_message_get_message_type(message) != G_DBUS_MESSAGE_TYPE_SIGNAL || body == NULL ||
      g_strcmp0(g_dbus_message_get_interface(message), VAULT_NOTIFICATIONS) != 0 ||
      g_strcmp0(g_dbus_message_get_member(message), "ActionInvoked") != 0 || !g_variant_is_of_type(body, G_VARIANT_TYPE("(us)")))
    return NULL;
  const char *key = NULL;
  g_variant_get(body, "(u&s)", NULL, &key);
  return key;
}
