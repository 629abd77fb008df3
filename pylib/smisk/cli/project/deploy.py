# SPDX-License-Identifier: MIT
"""Configurations for what stands in front of a new project, and the systemd unit that starts it.

The web servers' are those of examples/deploy with another socket, which a test compares; so the project's tests run them.
"""

__all__ = ["FILES"]

NGINX = """
# nginx in front of smiskd over FastCGI. Belongs into the http context: /etc/nginx/conf.d/ or sites-enabled/.

upstream smisk {
    server unix:/run/@NAME@/site.sock;
    keepalive 32;                       # idle connections that each nginx worker keeps open to smiskd
}

server {
    listen 80;
    server_name example.com;
    client_max_body_size 1g;            # as smiskd's max_body_size

    location / {
        fastcgi_pass smisk;
        fastcgi_keep_conn on;           # without it: a new connection for each request
        fastcgi_read_timeout 60s;

        # The application sits at the root of the site: no SCRIPT_NAME, the whole path in PATH_INFO.
        fastcgi_param SCRIPT_NAME       "";
        fastcgi_param PATH_INFO         $fastcgi_script_name;

        fastcgi_param GATEWAY_INTERFACE CGI/1.1;
        fastcgi_param SERVER_SOFTWARE   nginx/$nginx_version;
        fastcgi_param SERVER_PROTOCOL   $server_protocol;
        fastcgi_param SERVER_NAME       $server_name;
        fastcgi_param SERVER_ADDR       $server_addr;
        fastcgi_param SERVER_PORT       $server_port;
        fastcgi_param REMOTE_ADDR       $remote_addr;
        fastcgi_param REMOTE_PORT       $remote_port;
        fastcgi_param REMOTE_USER       $remote_user if_not_empty;
        fastcgi_param REQUEST_METHOD    $request_method;
        fastcgi_param REQUEST_SCHEME    $scheme;
        fastcgi_param HTTPS             $https if_not_empty;
        fastcgi_param REQUEST_URI       $request_uri;
        fastcgi_param QUERY_STRING      $query_string;
        fastcgi_param CONTENT_TYPE      $content_type;
        fastcgi_param CONTENT_LENGTH    $content_length;
        fastcgi_param HTTP_PROXY        "";   # a client's "Proxy" field must not become an HTTP_PROXY setting
    }
}
"""

LIGHTTPD = """
# lighttpd in front of smiskd over FastCGI. Belongs into /etc/lighttpd/conf-enabled/.

server.modules += ( "mod_fastcgi" )

fastcgi.server = (
    "/" => ((
        "socket" => "/run/@NAME@/site.sock",
        "check-local" => "disable",             # every path is the application's
        "fix-root-scriptname" => "enable",      # no SCRIPT_NAME, the whole path in PATH_INFO
    ))
)

# Pass answers on as they come, with backpressure, instead of collecting them in temporary files.
server.stream-response-body = 2
"""

APACHE = """
# Apache httpd in front of smiskd over FastCGI. Belongs into /etc/apache2/sites-enabled/.
# Needs mod_proxy and mod_proxy_fcgi: a2enmod proxy_fcgi

<VirtualHost *:80>
    ServerName example.com

    # flushpackets: pass answers on as they come. enablereuse: keep connections to smiskd open.
    ProxyPass "/" "unix:/run/@NAME@/site.sock|fcgi://localhost/" flushpackets=on enablereuse=on

    # The application sits at the root of the site: no SCRIPT_NAME, the whole path in PATH_INFO.
    ProxyFCGIBackendType GENERIC
    ProxyFCGISetEnvIf "true" PATH_INFO "%{reqenv:SCRIPT_NAME}"
    ProxyFCGISetEnvIf "true" SCRIPT_NAME ""

    # A client's "Proxy" field must not become an HTTP_PROXY setting.
    ProxyFCGISetEnvIf "true" !HTTP_PROXY
</VirtualHost>
"""

CADDY = """
# Caddy in front of smiskd over FastCGI. Belongs into /etc/caddy/Caddyfile.

example.com {
	reverse_proxy unix//run/@NAME@/site.sock {
		flush_interval -1
		transport fastcgi {
			# The application sits at the root of the site: no SCRIPT_NAME, the whole path in PATH_INFO.
			env SCRIPT_NAME ""
			env PATH_INFO {http.request.uri.path}
		}
	}
}
"""

SYSTEMD = """
# Belongs into /etc/systemd/system/@NAME@.service; the project is in /srv/@NAME@, with its environment in .venv.

[Unit]
Description=@NAME@, served by smiskd
After=network.target

[Service]
WorkingDirectory=/srv/@NAME@
ExecStartPre=/srv/@NAME@/.venv/bin/smiskd -t -c smisk.conf
ExecStart=/srv/@NAME@/.venv/bin/smiskd -c smisk.conf --fastcgi unix:/run/@NAME@/site.sock
ExecReload=/bin/kill -HUP $MAINPID
User=www-data
Group=www-data
RuntimeDirectory=@NAME@
Restart=on-failure
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""

FILES = {
    "deploy/nginx.conf": NGINX,
    "deploy/lighttpd.conf": LIGHTTPD,
    "deploy/apache.conf": APACHE,
    "deploy/Caddyfile": CADDY,
    "deploy/@NAME@.service": SYSTEMD,
}
