# SPDX-License-Identifier: Apache-2.0
"""The processes of a running deployment.

caller  -- HTTPS -->  gateway  -- Unix socket -->  vault worker  -->  doors, vault, ledger

gateway        faces the network; holds no key, reads no file of the deployment, writes nothing
vault worker   alone opens the deployment; believes nobody: each question is signed by who asks it
supervisor     starts both, each as a user of its own, and starts again what ends

users, tls     whether those users can run, and show, what the settings say; looked at before anything starts
socket_folder  whose the folder of the socket is, and who makes it
away           what Prometheus is told while the worker is away
frames         what goes over the Unix socket
signed         what goes over the network: a question in a signed envelope
remote         the caller's side: sign, send, verify what comes back
"""
