// The collection and item API is stable in 0.20 but still asks to be opted in to.
#define SECRET_API_SUBJECT_TO_CHANGE 1
#include <libsecret/secret.h>
