# SPDX-License-Identifier: Apache-2.0
"""Running a deployment: backup and restore, examination, upgrade."""
