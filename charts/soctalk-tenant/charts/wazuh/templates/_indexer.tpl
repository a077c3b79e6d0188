{{/*
Wazuh indexer: one OpenSearch node. Memory maps are off, so the node's
vm.max_map_count does not matter and nobody has to be privileged to raise it.
*/}}
{{- define "wazuh.indexer" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $config := include "wazuh.indexer.configData" . -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: wazuh-indexer-config
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
data:
  {{- $config | nindent 2 }}
---
apiVersion: v1
kind: Service
metadata:
  name: wazuh-indexer
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "soctalk-tenant.selectorLabels" . | nindent 4 }}
  ports:
    - { name: https, port: 9200, targetPort: https, protocol: TCP }
    - { name: transport, port: 9300, targetPort: transport, protocol: TCP }
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: wazuh-indexer
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "soctalk-tenant.labels" . | nindent 4 }}
  {{- include "soctalk-tenant.workloadAnnotations" . | nindent 2 }}
spec:
  {{- include "soctalk-tenant.statefulSetSpec" . | nindent 2 }}
  template:
    metadata:
      labels:
        {{- include "soctalk-tenant.podLabels" . | nindent 8 }}
      annotations:
        checksum/config: {{ $config | sha256sum }}
    spec:
      {{- include "soctalk-tenant.podSpec" (dict "scope" . "grace" 120) | nindent 6 }}
      securityContext:
        {{- include "soctalk-tenant.podSecurity" (dict "uid" 1000 "gid" 1000 "fsGroup" 1000) | nindent 8 }}
      initContainers:
        # OpenSearch wants bcrypt hashes and the administrator's subject; the Secrets hold a password and a certificate.
        - name: prepare
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          command: [/bin/bash, /scripts/prepare.sh]
          env:
            {{- include "soctalk-tenant.secretEnv" (dict "env" "INDEXER_USERNAME" "secret" $secrets.wazuhBootstrap "key" "username") | nindent 12 }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "INDEXER_PASSWORD" "secret" $secrets.wazuhBootstrap "key" "password") | nindent 12 }}
          resources:
            {{- include "soctalk-tenant.resources" .values.resources | nindent 12 }}
          securityContext:
            {{- include "soctalk-tenant.containerSecurity" false | nindent 12 }}
          volumeMounts:
            - { name: scripts, mountPath: /scripts, readOnly: true }
            - { name: config, mountPath: /config, readOnly: true }
            - { name: certs, mountPath: /certs, readOnly: true }
            - { name: generated, mountPath: /generated }
      containers:
        - name: wazuh-indexer
          image: {{ include "soctalk-tenant.image" (dict "root" .root "image" .values.image) }}
          imagePullPolicy: IfNotPresent
          command: [/bin/bash, /scripts/start.sh]
          env:
            - name: OPENSEARCH_JAVA_OPTS
              value: -Xms{{ .values.jvm.heap }} -Xmx{{ .values.jvm.heap }}
            {{- include "soctalk-tenant.secretEnv" (dict "env" "INDEXER_USERNAME" "secret" $secrets.wazuhBootstrap "key" "username") | nindent 12 }}
          ports:
            - { name: https, containerPort: 9200, protocol: TCP }
            - { name: transport, containerPort: 9300, protocol: TCP }
          # The security plugin's health page asks for no credentials.
          startupProbe:
            httpGet: { path: /_plugins/_security/health, port: https, scheme: HTTPS }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 60
          readinessProbe:
            httpGet: { path: /_plugins/_security/health, port: https, scheme: HTTPS }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          livenessProbe:
            tcpSocket: { port: https }
            periodSeconds: 20
            failureThreshold: 6
          resources:
            {{- include "soctalk-tenant.resources" .values.resources | nindent 12 }}
          securityContext:
            {{- include "soctalk-tenant.containerSecurity" false | nindent 12 }}
          volumeMounts:
            - { name: data, mountPath: /var/lib/wazuh-indexer }
            - { name: logs, mountPath: /var/log/wazuh-indexer }
            - { name: generated, mountPath: /usr/share/wazuh-indexer/config/opensearch.yml, subPath: opensearch.yml, readOnly: true }
            - { name: certs, mountPath: /usr/share/wazuh-indexer/config/certs, readOnly: true }
            - { name: generated, mountPath: /usr/share/wazuh-indexer/config/opensearch-security/internal_users.yml, subPath: internal_users.yml, readOnly: true }
            - { name: generated, mountPath: /generated, readOnly: true }
            - { name: scripts, mountPath: /scripts, readOnly: true }
      volumes:
        - name: config
          configMap:
            name: wazuh-indexer-config
            items:
              - { key: opensearch.yml, path: opensearch.yml }
        - name: scripts
          configMap:
            name: wazuh-indexer-config
            items:
              - { key: prepare.sh, path: prepare.sh }
              - { key: start.sh, path: start.sh }
        - name: certs
          secret:
            secretName: {{ $secrets.wazuhCerts }}
            defaultMode: 0440
        - name: generated
          emptyDir:
            medium: Memory
            sizeLimit: 1Mi
        - name: logs
          emptyDir:
            sizeLimit: 1Gi
---
{{ include "soctalk-tenant.disruptionBudget" . }}
{{- end }}

{{- define "wazuh.indexer.configData" -}}
opensearch.yml: |
  cluster.name: wazuh
  node.name: wazuh-indexer
  network.host: 0.0.0.0
  http.port: 9200
  transport.port: 9300
  discovery.type: single-node
  path.data: /var/lib/wazuh-indexer
  path.logs: /var/log/wazuh-indexer
  node.store.allow_mmap: false
  # Filebeat refuses servers that do not call themselves 7.10.
  compatibility.override_main_response_version: true
  plugins.security.ssl.http.enabled: true
  plugins.security.ssl.http.pemcert_filepath: certs/tls.crt
  plugins.security.ssl.http.pemkey_filepath: certs/tls.key
  plugins.security.ssl.http.pemtrustedcas_filepath: certs/ca.crt
  plugins.security.ssl.transport.pemcert_filepath: certs/tls.crt
  plugins.security.ssl.transport.pemkey_filepath: certs/tls.key
  plugins.security.ssl.transport.pemtrustedcas_filepath: certs/ca.crt
  plugins.security.ssl.transport.enforce_hostname_verification: false
  plugins.security.allow_default_init_securityindex: true
  plugins.security.restapi.roles_enabled: [all_access, security_rest_api_access]
  plugins.security.check_snapshot_restore_write_privileges: true
  plugins.security.enable_snapshot_restore_privilege: true
prepare.sh: |
  set -euo pipefail
  umask 077
  export OPENSEARCH_JAVA_HOME=/usr/share/wazuh-indexer/jdk JAVA_HOME=/usr/share/wazuh-indexer/jdk
  # The one certificate of the stack administers users. It is no node's name:
  # OpenSearch refuses node certificates for that, and there is no second node.
  subject=$("$JAVA_HOME/bin/keytool" -printcert -file /certs/tls.crt | sed -n 's/^Owner: //p' | head -n 1)
  [ -n "$subject" ] || { echo "the certificate has no subject: give it a commonName" >&2; exit 1; }
  cp /config/opensearch.yml /generated/opensearch.yml
  printf 'plugins.security.authcz.admin_dn: ["%s"]\n' "$subject" >>/generated/opensearch.yml
  hash=$(/bin/bash /usr/share/wazuh-indexer/plugins/opensearch-security/tools/hash.sh -env INDEXER_PASSWORD | grep -E '^\$2[aby]\$' | tail -n 1)
  [ -n "$hash" ] || { echo "hash.sh printed no hash" >&2; exit 1; }
  cat >/generated/internal_users.yml <<EOF
  _meta:
    type: internalusers
    config_version: 2
  "$INDEXER_USERNAME":
    hash: "$hash"
    reserved: true
    backend_roles: [admin]
  kibanaserver:
    hash: "$hash"
    reserved: true
  EOF
  printf '{"hash":"%s","backend_roles":["admin"]}' "$hash" >/generated/admin.json
  printf '{"hash":"%s"}' "$hash" >/generated/kibanaserver.json
start.sh: |
  # A volume keeps the users of its first start. This brings the two that the
  # Secret defines up to date and leaves every other user alone.
  put_user() {
    curl --silent --show-error --fail --output /dev/null \
      --cacert "$certs/ca.crt" --cert "$certs/tls.crt" --key "$certs/tls.key" \
      --header 'Content-Type: application/json' --request PUT --data "@$2" \
      --connect-to wazuh-indexer:9200:127.0.0.1:9200 \
      "https://wazuh-indexer:9200/_plugins/_security/api/internalusers/$1"
  }
  sync_users() {
    certs=/usr/share/wazuh-indexer/config/certs
    for _ in $(seq 120); do
      sleep 5
      if put_user "$INDEXER_USERNAME" /generated/admin.json 2>/dev/null && put_user kibanaserver /generated/kibanaserver.json; then
        echo "users of the Secret are up to date"
        return
      fi
    done
    echo "could not bring the Secret's users up to date: does the certificate have the name wazuh-indexer and serve clients?" >&2
  }
  sync_users &
  exec /entrypoint.sh
{{- end }}
