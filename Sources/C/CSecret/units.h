#pragma once
#include <gio/gio.h>

// The user's service manager (org.freedesktop.systemd1(5)), over GDBus. Nothing here decides anything.

/// Asks the manager on BUS to put a process in a new scope unit. 1 where it began to, 0 where there is none or it refused.
static inline int vault_units_start_scope(
    GDBusConnection *bus, const char *unit, const char *description, guint32 pid, GCancellable *cancellable) {
  GVariantBuilder properties;
  g_variant_builder_init(&properties, G_VARIANT_TYPE("a(sv)"));
  g_variant_builder_add(&properties, "(sv)", "Description", g_variant_new_string(description));
  g_variant_builder_add(
      &properties, "(sv)", "PIDs", g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, &pid, 1, sizeof pid));
  // Nothing of it stays once its last process has ended, however it ended.
  g_variant_builder_add(&properties, "(sv)", "CollectMode", g_variant_new_string("inactive-or-failed"));
  GVariant *reply = g_dbus_connection_call_sync(
      bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit",
      g_variant_new("(ssa(sv)a(sa(sv)))", unit, "fail", &properties, NULL), G_VARIANT_TYPE("(o)"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1,
      cancellable, NULL);
  if (reply == NULL) return 0;
  g_variant_unref(reply);
  return 1;
}
