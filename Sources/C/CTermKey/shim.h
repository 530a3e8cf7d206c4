#include <termkey.h>
#include <unibilium.h>
