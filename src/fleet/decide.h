/* approve and deny with --fleet: signed here, brought to the host over NATS. */
#ifndef FLEET_DECIDE_H
#define FLEET_DECIDE_H

#include "cli/command.h"

extern const struct command command_fleet_approve, command_fleet_deny;

#endif
