"""The root of the configuration: its top-level keys, and the policies that the rest of the service is given."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from consensus.policy import ArbiterPolicy, ModelPolicy, PanelPolicy, Policy
from consensus.settings.sections import (
    AuditSettings,
    AuthSettings,
    DriftSettings,
    GrpcSettings,
    KafkaSettings,
    ReviewSettings,
    StoreSettings,
    TelemetrySettings,
)

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Names appear in class names, metric labels and call keys, which use ``/`` and ``:`` as separators."""


def _named(entries: Any) -> Any:
    """Give each entry its key as ``name``: the file states a name once."""
    if not isinstance(entries, dict):
        return entries
    return {key: _with_name(key, entry) for key, entry in entries.items()}


def _with_name(key: Any, entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    if "name" in entry:
        raise ValueError(f"{key}.name: the key already names this entry; remove `name`")
    return {**entry, "name": key}


def _absent_is_empty(value: Any) -> Any:
    """``kafka:`` with nothing below it is an empty section."""
    return {} if value is None else value


Models = Annotated[dict[Name, ModelPolicy], BeforeValidator(_named), BeforeValidator(_absent_is_empty)]
Panels = Annotated[dict[Name, PanelPolicy], BeforeValidator(_named), BeforeValidator(_absent_is_empty)]
Policies = Annotated[dict[Name, Policy], BeforeValidator(_named), BeforeValidator(_absent_is_empty)]
ArbiterEntries = Annotated[dict[Name, ArbiterPolicy], BeforeValidator(_named), BeforeValidator(_absent_is_empty)]


class Settings(BaseSettings):
    """Everything that can be configured. Built by `load`; building one directly looks at no file and no environment."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    kafka: Annotated[KafkaSettings, BeforeValidator(_absent_is_empty)] = KafkaSettings()
    grpc: Annotated[GrpcSettings, BeforeValidator(_absent_is_empty)] = GrpcSettings()
    store: Annotated[StoreSettings, BeforeValidator(_absent_is_empty)] = StoreSettings()
    models: Models = Field(default_factory=dict)
    panels: Panels = Field(default_factory=dict)
    policies: Policies = Field(default_factory=dict)
    arbiters: ArbiterEntries = Field(default_factory=dict)
    review: Annotated[ReviewSettings, BeforeValidator(_absent_is_empty)] = ReviewSettings()
    audit: Annotated[AuditSettings, BeforeValidator(_absent_is_empty)] = AuditSettings()
    drift: Annotated[DriftSettings, BeforeValidator(_absent_is_empty)] = DriftSettings()
    telemetry: Annotated[TelemetrySettings, BeforeValidator(_absent_is_empty)] = TelemetrySettings()
    auth: Annotated[AuthSettings, BeforeValidator(_absent_is_empty)] = AuthSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` passes: the process environment is read there, once, with errors that name the variable."""
        return (init_settings,)

    def model_policies(self) -> dict[str, ModelPolicy]:
        """Every configured model by name, panel members and arbiters alike."""
        return dict(self.models)

    def panel_policies(self) -> dict[str, PanelPolicy]:
        """Every panel by name."""
        return dict(self.panels)

    def arbiter_policies(self) -> dict[str, ArbiterPolicy]:
        """Every arbiter by name."""
        return dict(self.arbiters)

    def policy_policies(self) -> dict[str, Policy]:
        """Every policy by name, in configuration order, with what the ``review`` and ``audit`` sections say for all."""
        return {name: self._completed(policy) for name, policy in self.policies.items()}

    def _completed(self, policy: Policy) -> Policy:
        shared = {"audit_rate": self.audit.rate, "exploration_rate": self.audit.exploration_rate}
        update: dict[str, Any] = {key: value for key, value in shared.items() if key not in policy.model_fields_set}
        return policy.model_copy(update={**update, "review": policy.review and self.review.enabled})
