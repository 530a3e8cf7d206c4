#pragma once
// The collection and item API is stable in 0.20 but still asks to be opted in to.
#define SECRET_API_SUBJECT_TO_CHANGE 1
#include <libsecret/secret.h>

// Typed doors to what Swift cannot call: variadic functions and GObject's macros. Nothing here decides anything.

/// What a call to the service came to.
typedef enum {
  VAULT_DBUS_OTHER,
  /// Nobody owns the service's name and nothing can be started to own it.
  VAULT_DBUS_NO_SERVICE,
  /// The service went away during the call, or has forgotten the session since.
  VAULT_DBUS_SERVICE_GONE,
  VAULT_DBUS_LOCKED,
  VAULT_DBUS_NO_SUCH_OBJECT,
} VaultDBusFailure;

static inline VaultDBusFailure vault_dbus_failure(const GError *error) {
  if (g_error_matches(error, SECRET_ERROR, SECRET_ERROR_IS_LOCKED)) return VAULT_DBUS_LOCKED;
  if (g_error_matches(error, SECRET_ERROR, SECRET_ERROR_NO_SUCH_OBJECT)) return VAULT_DBUS_NO_SUCH_OBJECT;
  if (error->domain == G_DBUS_ERROR) switch (error->code) {
    case G_DBUS_ERROR_UNKNOWN_METHOD:
    case G_DBUS_ERROR_UNKNOWN_OBJECT: return VAULT_DBUS_NO_SUCH_OBJECT;
    case G_DBUS_ERROR_SERVICE_UNKNOWN:
    case G_DBUS_ERROR_NAME_HAS_NO_OWNER:
    case G_DBUS_ERROR_SPAWN_EXEC_FAILED:
    case G_DBUS_ERROR_SPAWN_FORK_FAILED:
    case G_DBUS_ERROR_SPAWN_CHILD_EXITED:
    case G_DBUS_ERROR_SPAWN_CHILD_SIGNALED:
    case G_DBUS_ERROR_SPAWN_FAILED:
    case G_DBUS_ERROR_SPAWN_SETUP_FAILED:
    case G_DBUS_ERROR_SPAWN_CONFIG_INVALID:
    case G_DBUS_ERROR_SPAWN_SERVICE_INVALID:
    case G_DBUS_ERROR_SPAWN_SERVICE_NOT_FOUND:
    case G_DBUS_ERROR_SPAWN_PERMISSIONS_INVALID:
    case G_DBUS_ERROR_SPAWN_FILE_INVALID:
    case G_DBUS_ERROR_SPAWN_NO_MEMORY: return VAULT_DBUS_NO_SERVICE;
    case G_DBUS_ERROR_NO_REPLY:
    case G_DBUS_ERROR_DISCONNECTED: return VAULT_DBUS_SERVICE_GONE;
    default: break;
  }
  if (error->domain == G_IO_ERROR) {
    if (error->code == G_IO_ERROR_CLOSED || error->code == G_IO_ERROR_BROKEN_PIPE) return VAULT_DBUS_SERVICE_GONE;
    // libsecret knows two of the service's own errors; the rest come by name.
    gchar *name = g_dbus_error_get_remote_error(error);
    gboolean session = g_strcmp0(name, "org.freedesktop.Secret.Error.NoSession") == 0;
    g_free(name);
    if (session) return VAULT_DBUS_SERVICE_GONE;
  }
  return VAULT_DBUS_OTHER;
}

/// A connection to the bus at ADDRESS that nobody else shares, and whose end does not end the process.
static inline GDBusConnection *vault_bus_connect(const char *address, GCancellable *cancellable, GError **error) {
  return g_dbus_connection_new_for_address_sync(
      address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL,
      cancellable, error);
}

// SecretService's constructor asks for the shared session bus: its address is the environment's, where there is none dbus-launch
// is started, and its end kills the process. GDBusProxy can take a connection; a subclass lets it.
static inline GObject *vault_secret_service_constructor(GType type, guint count, GObjectConstructParam *properties) {
  GObjectClass *parent = G_OBJECT_CLASS(g_type_class_peek(SECRET_TYPE_SERVICE));
  GObject *object = parent->constructor(type, count, properties);
  g_object_set(object, "g-bus-type", G_BUS_TYPE_NONE, NULL);
  return object;
}

static inline void vault_secret_service_class_init(gpointer type_class, gpointer data) {
  (void)data;
  G_OBJECT_CLASS(type_class)->constructor = vault_secret_service_constructor;
}

static inline GType vault_secret_service_get_type(void) {
  static gsize type;
  if (g_once_init_enter(&type)) {
    GType made = g_type_register_static_simple(
        SECRET_TYPE_SERVICE, g_intern_static_string("VaultSecretService"), sizeof(SecretServiceClass),
        vault_secret_service_class_init, sizeof(SecretService), NULL, (GTypeFlags)0);
    g_once_init_leave(&type, made);
  }
  return type;
}

/// The Secret Service on CONNECTION, with an encrypted session where the service can do one.
static inline SecretService *vault_secret_service_new(GDBusConnection *connection, GCancellable *cancellable, GError **error) {
  return (SecretService *)g_initable_new(
      vault_secret_service_get_type(), cancellable, error, "g-connection", connection, "flags", SECRET_SERVICE_OPEN_SESSION,
      NULL);
}

/// The attributes by which master keys are found. Not by the schema's name: gnome-keyring forgets it for an item of a keyring
/// that it
/// has not unlocked since it started, and then finds nothing where a locked item is.
static inline const SecretSchema *vault_master_key_schema(void) {
  static const SecretSchema schema = {
      "vault.MasterKey",
      SECRET_SCHEMA_DONT_MATCH_NAME,
      {{"application", SECRET_SCHEMA_ATTRIBUTE_STRING},
       {"kind", SECRET_SCHEMA_ATTRIBUTE_STRING},
       {"vault-id", SECRET_SCHEMA_ATTRIBUTE_STRING},
       {"key-id", SECRET_SCHEMA_ATTRIBUTE_STRING},
       {NULL, (SecretSchemaAttributeType)0}},
      0, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
  return &schema;
}

/// A master key's attributes; without KEY_ID those that all keys of the vault share. Free with g_hash_table_unref.
static inline GHashTable *vault_master_key_attributes(const char *vault_id, const char *key_id) {
  if (key_id == NULL)
    return secret_attributes_build(
        vault_master_key_schema(), "application", "vault", "kind", "master-key", "vault-id", vault_id, NULL);
  return secret_attributes_build(
      vault_master_key_schema(), "application", "vault", "kind", "master-key", "vault-id", vault_id, "key-id", key_id, NULL);
}

/// The attributes of the item that holds the head of a vault's audit log. Free with g_hash_table_unref.
static inline GHashTable *vault_anchor_attributes(const char *vault_id) {
  return secret_attributes_build(
      vault_master_key_schema(), "application", "vault", "kind", "audit-head", "vault-id", vault_id, NULL);
}

/// One method of the service or of an object of its. Free with g_variant_unref.
static inline GVariant *vault_secret_call(
    SecretService *service, const char *path, const char *type_name, const char *method, GVariant *arguments, const char *reply,
    GCancellable *cancellable, GError **error) {
  GVariantType *type = g_variant_type_new(reply);
  GVariant *result = g_dbus_connection_call_sync(
      g_dbus_proxy_get_connection(G_DBUS_PROXY(service)), g_dbus_proxy_get_name(G_DBUS_PROXY(service)), path, type_name, method,
      arguments, type, G_DBUS_CALL_FLAGS_NONE, -1, cancellable, error);
  g_variant_type_free(type);
  return result;
}

/// A property of an object of the service. Free with g_variant_unref.
static inline GVariant *vault_secret_property(
    SecretService *service, const char *path, const char *type_name, const char *name, GCancellable *cancellable,
    GError **error) {
  GVariant *reply = vault_secret_call(
      service, path, "org.freedesktop.DBus.Properties", "Get", g_variant_new("(ss)", type_name, name), "(v)", cancellable,
      error);
  if (reply == NULL) return NULL;
  GVariant *value = NULL;
  g_variant_get(reply, "(v)", &value);
  g_variant_unref(reply);
  return value;
}

/// A property that is true or false; -1 with an error.
static inline int vault_secret_flag(
    SecretService *service, const char *path, const char *type_name, const char *name, GCancellable *cancellable,
    GError **error) {
  GVariant *value = vault_secret_property(service, path, type_name, name, cancellable, error);
  if (value == NULL) return -1;
  int flag = g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN) && g_variant_get_boolean(value);
  g_variant_unref(value);
  return flag;
}

/// A property that is text; NULL with an error, or without one where it is something else. Free with g_free.
static inline char *vault_secret_text(
    SecretService *service, const char *path, const char *type_name, const char *name, GCancellable *cancellable,
    GError **error) {
  GVariant *value = vault_secret_property(service, path, type_name, name, cancellable, error);
  if (value == NULL) return NULL;
  char *text = g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) ? g_variant_dup_string(value, NULL) : NULL;
  g_variant_unref(value);
  return text;
}

/// A property that is a list of objects; NULL with an error, or without one where it is something else. Free with g_strfreev.
static inline char **vault_secret_paths(
    SecretService *service, const char *path, const char *type_name, const char *name, GCancellable *cancellable,
    GError **error) {
  GVariant *value = vault_secret_property(service, path, type_name, name, cancellable, error);
  if (value == NULL) return NULL;
  char **paths = g_variant_is_of_type(value, G_VARIANT_TYPE_OBJECT_PATH_ARRAY) ? g_variant_dup_objv(value, NULL) : NULL;
  g_variant_unref(value);
  return paths;
}

/// The attributes by which keytar's items are found. Free with g_hash_table_unref.
static inline GHashTable *vault_account_attributes(const char *service, const char *account) {
  GHashTable *attributes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert(attributes, g_strdup("service"), g_strdup(service));
  g_hash_table_insert(attributes, g_strdup("account"), g_strdup(account));
  return attributes;
}

/// One attribute of an item; NULL with an error, or without one where the service does not show it. Free with g_free.
static inline char *vault_secret_item_attribute(
    SecretService *service, const char *path, const char *name, GCancellable *cancellable, GError **error) {
  GVariant *value = vault_secret_property(service, path, "org.freedesktop.Secret.Item", "Attributes", cancellable, error);
  if (value == NULL) return NULL;
  char *text = NULL;
  if (g_variant_is_of_type(value, G_VARIANT_TYPE("a{ss}"))) g_variant_lookup(value, name, "s", &text);
  g_variant_unref(value);
  return text;
}

/// Asks for PATH to be unlocked. Returns the path of the prompt that the service wants to show, "/" for none. Free with g_free.
static inline char *vault_secret_unlock(SecretService *service, const char *path, GCancellable *cancellable, GError **error) {
  const char *paths[] = {path, NULL};
  GVariant *reply = vault_secret_call(
      service, g_dbus_proxy_get_object_path(G_DBUS_PROXY(service)), "org.freedesktop.Secret.Service", "Unlock",
      g_variant_new("(@ao)", g_variant_new_objv(paths, -1)), "(aoo)", cancellable, error);
  if (reply == NULL) return NULL;
  char *prompt = NULL;
  g_variant_get(reply, "(aoo)", NULL, &prompt);
  g_variant_unref(reply);
  return prompt;
}

/// Makes an item, replacing none. As for vault_secret_unlock, the path of a prompt.
static inline char *vault_secret_create_item(
    SecretService *service, const char *collection, const char *label, GHashTable *attributes, SecretValue *value,
    gboolean replace, GCancellable *cancellable, GError **error) {
  GVariantBuilder texts, properties;
  g_variant_builder_init(&texts, G_VARIANT_TYPE("a{ss}"));
  GHashTableIter iterator;
  gpointer name, text;
  g_hash_table_iter_init(&iterator, attributes);
  while (g_hash_table_iter_next(&iterator, &name, &text)) g_variant_builder_add(&texts, "{ss}", (char *)name, (char *)text);
  g_variant_builder_add(&texts, "{ss}", "xdg:schema", vault_master_key_schema()->name);
  g_variant_builder_init(&properties, G_VARIANT_TYPE("a{sv}"));
  g_variant_builder_add(&properties, "{sv}", "org.freedesktop.Secret.Item.Label", g_variant_new_string(label));
  g_variant_builder_add(&properties, "{sv}", "org.freedesktop.Secret.Item.Attributes", g_variant_builder_end(&texts));
  GVariant *reply = vault_secret_call(
      service, collection, "org.freedesktop.Secret.Collection", "CreateItem",
      g_variant_new("(a{sv}@(oayays)b)", &properties, secret_service_encode_dbus_secret(service, value), replace), "(oo)",
      cancellable, error);
  if (reply == NULL) return NULL;
  char *prompt = NULL;
  g_variant_get(reply, "(oo)", NULL, &prompt);
  g_variant_unref(reply);
  return prompt;
}

/// Puts another secret in an item.
static inline gboolean vault_secret_set(
    SecretService *service, const char *path, SecretValue *value, GCancellable *cancellable, GError **error) {
  GVariant *reply = vault_secret_call(
      service, path, "org.freedesktop.Secret.Item", "SetSecret",
      g_variant_new("(@(oayays))", secret_service_encode_dbus_secret(service, value)), "()", cancellable, error);
  if (reply != NULL) g_variant_unref(reply);
  return reply != NULL;
}

/// Deletes an item. As for vault_secret_unlock, the path of a prompt.
static inline char *vault_secret_delete_item(
    SecretService *service, const char *path, GCancellable *cancellable, GError **error) {
  GVariant *reply =
      vault_secret_call(service, path, "org.freedesktop.Secret.Item", "Delete", NULL, "(o)", cancellable, error);
  if (reply == NULL) return NULL;
  char *prompt = NULL;
  g_variant_get(reply, "(o)", &prompt);
  g_variant_unref(reply);
  return prompt;
}

/// The connection that SERVICE speaks over, and the name that it has there; both belong to SERVICE.
static inline GDBusConnection *vault_secret_connection(SecretService *service) {
  return g_dbus_proxy_get_connection(G_DBUS_PROXY(service));
}
static inline const char *vault_secret_bus_name(SecretService *service) { return g_dbus_proxy_get_name(G_DBUS_PROXY(service)); }

/// Asks for a prompt to be shown. Its end comes as the signal Completed.
static inline gboolean vault_secret_show_prompt(
    SecretService *service, const char *prompt, GCancellable *cancellable, GError **error) {
  GVariant *reply = vault_secret_call(
      service, prompt, "org.freedesktop.Secret.Prompt", "Prompt", g_variant_new("(s)", ""), "()", cancellable, error);
  if (reply != NULL) g_variant_unref(reply);
  return reply != NULL;
}

/// Takes a prompt off the screen, without waiting for the answer.
static inline void vault_secret_dismiss_prompt(SecretService *service, const char *prompt) {
  g_dbus_connection_call(
      g_dbus_proxy_get_connection(G_DBUS_PROXY(service)), g_dbus_proxy_get_name(G_DBUS_PROXY(service)), prompt,
      "org.freedesktop.Secret.Prompt", "Dismiss", NULL, NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL, NULL);
}

/// Whether the parameters of the signal Completed say that the prompt was dismissed. What is not understood counts as dismissed.
static inline gboolean vault_secret_prompt_was_dismissed(GVariant *parameters) {
  gboolean dismissed = TRUE;
  if (g_variant_is_of_type(parameters, G_VARIANT_TYPE("(bv)"))) g_variant_get(parameters, "(bv)", &dismissed, NULL);
  return dismissed;
}

/// Runs CALLBACK in CONTEXT once CANCELLABLE is cancelled. Free with g_source_destroy and g_source_unref.
static inline GSource *vault_when_cancelled(
    GCancellable *cancellable, GMainContext *context, GCancellableSourceFunc callback, gpointer data) {
  GSource *source = g_cancellable_source_new(cancellable);
  g_source_set_callback(source, (GSourceFunc)(void (*)(void))callback, data, NULL);
  g_source_attach(source, context);
  return source;
}

/// A child of a tuple, to be let go by the caller; NULL where there is none.
static inline GVariant *vault_variant_child(GVariant *tuple, gsize index) {
  if (!tuple || !g_variant_is_container(tuple) || g_variant_n_children(tuple) <= index) return NULL;
  return g_variant_get_child_value(tuple, index);
}

/// 1 or 0; -1 for what is no boolean.
static inline int vault_variant_flag(GVariant *value) {
  return g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN) ? g_variant_get_boolean(value) != FALSE : -1;
}

/// Whose login session the object at PATH is (org.freedesktop.login1(5), property "User"); -1 where nobody says.
static inline gint64 vault_login_session_uid(GDBusConnection *bus, const char *path) {
  if (!g_variant_is_object_path(path)) return -1;
  GVariant *reply = g_dbus_connection_call_sync(
      bus, "org.freedesktop.login1", path, "org.freedesktop.DBus.Properties", "Get",
      g_variant_new("(ss)", "org.freedesktop.login1.Session", "User"), G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, 3000, NULL,
      NULL);
  if (!reply) return -1;
  GVariant *value = NULL;
  guint32 uid = 0;
  gint64 found = -1;
  g_variant_get(reply, "(v)", &value);
  if (g_variant_is_of_type(value, G_VARIANT_TYPE("(uo)"))) {
    g_variant_get(value, "(u&o)", &uid, NULL);
    found = uid;
  }
  g_variant_unref(value);
  g_variant_unref(reply);
  return found;
}

/// Whether UID has a login session; 1 where nobody says.
static inline int vault_login_has_session(GDBusConnection *bus, guint32 uid) {
  GVariant *reply = g_dbus_connection_call_sync(
      bus, "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "ListSessions", NULL,
      G_VARIANT_TYPE("(a(susso))"), G_DBUS_CALL_FLAGS_NO_AUTO_START, 3000, NULL, NULL);
  if (!reply) return 1;
  GVariantIter *sessions = NULL;
  guint32 owner = 0;
  int found = 0;
  g_variant_get(reply, "(a(susso))", &sessions);
  while (g_variant_iter_next(sessions, "(&su&s&s&o)", NULL, &owner, NULL, NULL, NULL)) found |= owner == uid;
  g_variant_iter_free(sessions);
  g_variant_unref(reply);
  return found;
}
