global
  # Hooks drain servers here. A load balancer on another host has a socket in its file system: ask it over ssh.
  stats socket ipv4@{{ .WorkerIP }}:{{ get "maand/bucket" "proxy_admin_port" }} level admin
  maxconn 2000
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend http
  bind {{ .WorkerIP }}:{{ get "maand/bucket" "proxy_port" }}
  default_backend web
backend web
  option httpchk GET /healthz
{{- range split (get "maand/worker" "web_workers") "," }}
  server {{ . }} {{ . }}:{{ get "maand/bucket" "web_port" }} check inter 200ms rise 2 fall 2
{{- end }}
